// The machine's disks, from sysfs and /proc: never from udev's links, which vanish on "change"
// events (ec2-utils issue 22) and have pointed at the wrong disk (issue 37).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/disk.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "agent/sys/result.h"

namespace muster::probes {

/// Every whole disk that the kernel shows, sorted by name. What can't be read about one stands in
/// its `unknown`; only what concerns all of them (/sys/block, mountinfo, swaps) is an error.
[[nodiscard]] Result<std::vector<Disk>> read_disks(const Files& files, Kernel& kernel);

/// The devices that a name in block-device-mapping may stand for on this machine, each once: "sdb"
/// is /dev/sdb, or /dev/xvdb where the Xen driver calls it so. One is a link where nothing but a
/// link leads to it. Empty where there is no such node; an error where that can't be told.
[[nodiscard]] Result<std::vector<DeviceNode>> resolve_mapped_name(Kernel& kernel,
                                                                  std::string_view name);

/// "/dev/sdf", "sdf" and "xvdf" are three names of one thing.
[[nodiscard]] bool same_device_name(std::string_view one, std::string_view other);

/// The paths of /proc/swaps.
[[nodiscard]] std::vector<std::string> parse_swaps(std::string_view text);

} // namespace muster::probes
