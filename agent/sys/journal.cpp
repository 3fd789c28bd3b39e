#include "agent/sys/journal.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/sys/fd.h"

namespace muster {
namespace {

constexpr std::size_t longest_name = 64; // the journal drops a longer one, and one in small letters

std::string field_name(std::string_view name) {
    std::string text = "MUSTER_";
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        text += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
    }
    return text.substr(0, longest_name);
}

/// With its length in front: a value may hold a newline, and an attacker's next line is no field.
void append(std::string& entry, std::string_view name, std::string_view value) {
    entry += name;
    entry += '\n';
    for (std::uint64_t size = value.size(), byte = 0; byte < 8; ++byte, size >>= 8U)
        entry += static_cast<char>(size & 0xffU); // little-endian, whatever the machine is
    entry += value;
    entry += '\n';
}

} // namespace

bool leads_to_journal(int fd) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    return stream != nullptr && ::fstat(fd, &status) == 0 &&
           fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

std::string journal_entry(std::string_view message, int priority,
                          std::initializer_list<std::pair<std::string_view, std::string>> fields) {
    std::string entry;
    append(entry, "MESSAGE", message);
    append(entry, "PRIORITY", std::to_string(priority));
    append(entry, "SYSLOG_IDENTIFIER", "muster");
    for (const auto& [name, value] : fields)
        append(entry, field_name(name), value);
    return entry;
}

bool send_to_journal(const char* socket, std::string_view entry) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string_view path = socket;
    if (path.size() >= sizeof(address.sun_path)) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    // A socket for each entry: helpers close all descriptors but their own, and one that is kept
    // would then be the number of something else.
    const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return fd && ::sendto(fd.get(), entry.data(), entry.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                          reinterpret_cast<const sockaddr*>(&address), sizeof(address)) >= 0;
}

} // namespace muster
