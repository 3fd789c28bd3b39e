// mount(2) and what belongs to it. Can hang for ever: only for a helper of isolate. Private to sys.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "agent/sys/kernel.h"
#include "agent/sys/result.h"

namespace muster {

/// Options as in fstab, as mount(2) wants them.
struct MountOptions {
    unsigned long flags = 0;
    std::string data; ///< what is left, for the filesystem
    friend bool operator==(const MountOptions&, const MountOptions&) = default;
};

[[nodiscard]] MountOptions parse_options(const std::vector<std::string>& options);

struct Owner {
    uid_t user = 0;
    gid_t group = 0;
    friend bool operator==(const Owner&, const Owner&) = default;
};

/// "USER:GROUP" or "USER" (and that user's group); names or numbers. `passwd` and `group` are the
/// content of those files: getpwnam, linked statically, would load NSS modules at run time.
[[nodiscard]] Result<Owner> resolve_owner(std::string_view owner, std::string_view passwd,
                                          std::string_view group);

/// Folder, mount, owner and mode. The same device mounted there already is as good; what can't be
/// finished is unmounted again.
[[nodiscard]] Result<void> mount_and_own(const MountRequest& request);

} // namespace muster
