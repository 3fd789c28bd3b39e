#include "lvm/filesystem.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "lvm/active.h"
#include "lvm/mount_points.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr Duration mount_limit = std::chrono::seconds(60);
/// lvcreate leaves no signature that counts here. What lies behind may be a leftover of the disks,
/// such as a backup GPT, which no filesystem minds.
constexpr std::uint64_t volume_start = 1 << 20;

} // namespace

std::expected<ActiveVolume, Failure> find_volume(const Machine& machine, const Plan& plan,
                                                 const std::string& volume) {
    const auto name = mapper_name(plan.group, volume);
    auto read = find_active(machine, name);
    if (!read) return std::unexpected(read.error());
    std::optional<ActiveVolume>& active = *read;
    if (!active) {
        return std::unexpected(Failure{
            "assembly-failed", fmt::format("device-mapper has no node for the volume {}", volume)});
    }
    auto& node = *active;
    const bool on_our_disks =
        !node.disks.empty() && std::ranges::all_of(node.disks, [&](const std::string& disk) {
            return std::ranges::find(plan.disks, disk, &Disk::name) != plan.disks.end();
        });
    // Of a group that this run has made the uuid is not known: any volume of LVM's on its disks is
    // the group's.
    const auto group = mapper_group(node.uuid);
    if (on_our_disks && !group.empty() &&
        (plan.group_uuid.empty() || group == mapper_uuid(plan.group_uuid))) {
        return std::move(node);
    }
    return std::unexpected(
        Failure{"assembly-failed", fmt::format("{} ({}) lies on {}, not on this group's disks",
                                               name, node.uuid, fmt::join(node.disks, ", "))});
}

std::expected<void, Failure> check_empty(const Machine& machine, const std::string& node,
                                         Deadline deadline) {
    const auto content = read_content(machine, node, deadline);
    if (!content) return std::unexpected(content.error());
    const auto found = std::ranges::find_if(content->signatures, [](const Signature& signature) {
        return signature.offset < volume_start;
    });
    if (found == content->signatures.end()) return {};
    return std::unexpected(Failure{
        "assembly-failed", fmt::format("{} is new, and carries {}: another program writes to it",
                                       node, describe(*found))});
}

std::expected<void, Failure> make(const Machine& machine, const Plan& plan,
                                  const MakeFilesystem& step, Deadline deadline) {
    const auto node = find_volume(machine, plan, step.volume.name);
    if (!node) return std::unexpected(node.error());
    if (auto empty = check_empty(machine, node->node, deadline); !empty) return empty;
    const auto name = mkfs_name(step.volume.filesystem);
    const auto mkfs = find_tool(machine.files, name);
    if (!mkfs) {
        return std::unexpected(Failure{
            "tool-missing",
            fmt::format("{} is not installed (package {})", name,
                        step.volume.filesystem == Filesystem::xfs ? "xfsprogs" : "e2fsprogs")});
    }
    const auto command = make_filesystem(*mkfs, step.volume, node->node, step.stripes);
    if (auto made = must_run(machine, command, deadline); !made) return made;

    const auto after = read_content(machine, node->node, deadline);
    if (!after) return std::unexpected(after.error());
    if (carries(*after, step.volume.filesystem)) return {};
    return std::unexpected(
        Failure{"assembly-failed", fmt::format("{} ended well, but {} does not carry {}", name,
                                               node->node, to_string(step.volume.filesystem))});
}

std::expected<void, Failure> check(const Machine& machine, const Plan& plan,
                                   const CheckFilesystem& step, Deadline deadline) {
    const auto node = find_volume(machine, plan, step.volume.name);
    if (!node) return std::unexpected(node.error());
    const auto content = read_content(machine, node->node, deadline);
    if (!content) return std::unexpected(content.error());
    auto checked = check_finished(plan.group, step.volume, *content);
    if (checked) return {};
    return std::unexpected(Failure{checked.error().reason, checked.error().message});
}

namespace {

/// The disks are to blame only where the mount point itself answers.
Failure mount_failure(const Machine& machine, const MountRequest& request, const Error& error,
                      Deadline deadline) {
    if (error.code == Errc::stuck && machine.clock.now() < deadline.at) {
        const auto point = machine.kernel.mount_point(request.target,
                                                      deadline.clipped(machine.clock, point_limit));
        if (!point) return {"mount-failed", point.error().message};
    }
    if (error.code == Errc::stuck || error.code == Errc::io) return disk_failure(error);
    return {"mount-failed", error.message};
}

std::expected<void, Failure> read_back(const Machine& machine, const MountRequest& request,
                                       const DeviceNumber& volume, Deadline deadline) {
    const auto point =
        machine.kernel.mount_point(request.target, deadline.clipped(machine.clock, point_limit));
    if (!point) return std::unexpected(Failure{"mount-failed", point.error().message});
    if (!is_mounted_at(*point, volume)) {
        return std::unexpected(
            Failure{"mount-failed", fmt::format("mount of {} at {} ended well, but the kernel does "
                                                "not list it",
                                                request.source, request.target)});
    }
    const std::optional<Mount>& mounted = point->mounted;
    const auto filesystem = mounted ? mounted->filesystem : "";
    if (filesystem == request.filesystem) return {};
    return std::unexpected(
        Failure{"mount-failed",
                fmt::format("{} is mounted at {} as {}, the configuration wants {}", request.source,
                            request.target, filesystem, request.filesystem)});
}

} // namespace

std::expected<void, Failure> mount(const Machine& machine, const Plan& plan,
                                   const MountVolume& step, Deadline deadline) {
    const auto node = find_volume(machine, plan, step.volume.name);
    if (!node) return std::unexpected(node.error());
    // The name that a person knows in /proc/mounts, where udev has made it.
    const auto named = "/dev/mapper/" + mapper_name(plan.group, step.volume.name);
    const auto number = machine.kernel.block_device(named);
    const MountRequest request{.source = number && *number == node->number ? named : node->node,
                               .target = step.volume.mount,
                               .filesystem = to_string(step.volume.filesystem),
                               .options = step.volume.options,
                               .mode = step.volume.mode,
                               .owner = step.volume.owner};
    const auto mounted =
        machine.kernel.mount(request, deadline.clipped(machine.clock, mount_limit));
    if (!mounted)
        return std::unexpected(mount_failure(machine, request, mounted.error(), deadline));
    return read_back(machine, request, node->number, deadline);
}

} // namespace muster::lvm
