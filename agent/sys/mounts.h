// /proc/self/mountinfo (proc(5)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/result.h"

namespace muster {

struct Mount {
    std::uint64_t id = 0;    ///< mnt_id of /proc/PID/fdinfo
    std::uint32_t major = 0; ///< of the mounted device; 0 for a filesystem without one
    std::uint32_t minor = 0;
    std::string root;   ///< the folder of the filesystem that is mounted: "/" but for bind mounts
    std::string target; ///< the mount point, escapes resolved
    std::string filesystem; ///< "xfs"
    std::string source;     ///< as given to mount(2)
    bool read_only = false; ///< per mount, or per superblock: either makes it so
    /// An automount of this one folder (systemd's `x-systemd.automount`): what mounts there is to
    /// be mounted over it.
    bool automount = false;
    friend bool operator==(const Mount&, const Mount&) = default;
};

/// `malformed` where any line can't be understood: a mount that we overlook is a disk in use that
/// we take for free.
[[nodiscard]] Result<std::vector<Mount>> parse_mountinfo(std::string_view text);

} // namespace muster
