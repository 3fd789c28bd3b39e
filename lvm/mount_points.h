// Wanted mount points, and what stands there.
#pragma once

#include "lvm/machine.h"
#include "lvm/plan.h"

namespace muster::lvm {

/// The walk to a mount point reads the filesystems on the way, which are none of ours. In health
/// that takes milliseconds.
inline constexpr Duration point_limit = std::chrono::seconds(10);

/// The volume is what the mount point leads to.
[[nodiscard]] bool is_mounted_at(const MountPoint& point, const DeviceNumber& volume);

/// Fills in `points` and `mounted_on`. Of the mounts of an active volume the one at its mount point
/// stays only where it is in force: another mount may hide it.
void look_at_points(const Machine& machine, Deadline deadline, Situation& situation);

} // namespace muster::lvm
