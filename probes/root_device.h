// What / is mounted from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/sys/files.h"
#include "agent/sys/mounts.h"
#include "agent/sys/result.h"

namespace muster::probes {

/// The mount at / that is in force.
[[nodiscard]] Result<Mount> root_mount(const Files& files);

struct RootDevice {
    std::string name; ///< the kernel's, of a disk, a partition or a device-mapper node: "nvme0n1p1"
    std::uint64_t size = 0; ///< bytes
};

/// None where the filesystem lies on no block device, or on none that sysfs knows.
[[nodiscard]] std::optional<RootDevice> root_device(const Files& files, const Mount& mount);

} // namespace muster::probes
