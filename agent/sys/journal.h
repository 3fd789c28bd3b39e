// The journal's own protocol: one datagram an entry, each field by its name, so that
// `journalctl MUSTER_STAGE=ebs` finds what a text would have to be searched for
// (systemd: "Native Journal Protocol", JOURNAL_NATIVE_PROTOCOL.md).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

constexpr const char* journal_socket = "/run/systemd/journal/socket";

/// Whether this descriptor leads to the journal: $JOURNAL_STREAM names its device and inode
/// (systemd.exec(5)). A pipe of a check or of a pipeline inherits the variable, but not those.
[[nodiscard]] bool leads_to_journal(int fd);

/// An entry: MESSAGE, PRIORITY (syslog's, 3 error to 7 debug), and each field as MUSTER_NAME.
[[nodiscard]] std::string
journal_entry(std::string_view message, int priority,
              std::initializer_list<std::pair<std::string_view, std::string>> fields);

/// Never waits: a journal that hangs (on the root volume that we are about to report) takes
/// nothing. False where it was not taken.
[[nodiscard]] bool send_to_journal(const char* socket, std::string_view entry);

} // namespace muster
