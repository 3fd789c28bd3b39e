#include "lvm/mount_points.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "lvm/tool.h"

namespace muster::lvm {

bool is_mounted_at(const MountPoint& point, const DeviceNumber& volume) {
    return point.mounted && point.mounted->root == "/" &&
           DeviceNumber{point.mounted->major, point.mounted->minor} == volume;
}

void look_at_points(const Machine& machine, Deadline deadline, Situation& situation) {
    for (const auto& volume : situation.layout.volumes) {
        if (volume.mount.empty()) continue;
        auto& wanted = situation.points[volume.mount];
        wanted.path = volume.mount;
        auto point =
            machine.kernel.mount_point(volume.mount, deadline.clipped(machine.clock, point_limit));
        if (!point) {
            wanted.problem = point.error().message;
            continue;
        }
        wanted.path = std::move(point->path);
        wanted.entries = std::move(point->entries);

        const auto ours =
            situation.active.find(mapper_name(situation.layout.volume_group, volume.name));
        const bool in_force =
            ours != situation.active.end() && is_mounted_at(*point, ours->second.number);
        if (ours != situation.active.end() && !in_force) {
            std::erase(ours->second.mounts, wanted.path);
        }
        const std::optional<Mount>& other = point->mounted;
        if (other && !in_force && !other->automount) {
            situation.mounted_on[volume.mount] = other->source;
        }
    }
}

} // namespace muster::lvm
