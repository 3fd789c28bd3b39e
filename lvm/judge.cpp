#include "lvm/judge.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr std::string_view lvm_label = "LVM2_member";
constexpr std::string_view advice = "save what is needed and wipe it, or take a new instance";

using Judgement = std::expected<Standing, Refusal>;

Judgement refuse(const Disk& disk, std::string_view reason, std::string message) {
    return std::unexpected(Refusal{disk.name, std::string(reason), std::move(message)});
}

std::string found_on(const Candidate& candidate) {
    std::string text;
    for (const auto& signature : candidate.content.signatures) {
        text += (text.empty() ? ": found " : ", ") + describe(signature);
    }
    return text;
}

/// In use by anything but a volume of ours; a reason for a person, or nothing.
std::string in_use(const Situation& now, const Disk& disk) {
    if (!disk.mounts.empty()) return "is mounted at " + disk.mounts.front();
    if (disk.swap) return "is swapped to";
    if (!disk.partitions.empty()) return "is partitioned (" + disk.partitions.front() + ")";
    for (const auto& holder : disk.holders) {
        const bool ours = std::ranges::any_of(
            now.active, [&](const auto& active) { return active.second.node == "/dev/" + holder; });
        if (!ours) return "is in use by " + holder;
    }
    return "";
}

std::string foreign_group(const Situation& now, const Disk& disk, const VolumeGroup& group) {
    const auto belongs = fmt::format("{} belongs to the volume group {}", disk.node, group.name);
    if (!group.has_tag(owner_tag)) {
        return fmt::format("{}, which is not ours (it has no tag \"{}\"); {}", belongs, owner_tag,
                           advice);
    }
    if (!group.has_tag(instance_tag(now.instance_id))) {
        return fmt::format("{} of another instance ({}), this one is {}; {}", belongs,
                           fmt::join(group.tags, ", "), now.instance_id, advice);
    }
    return fmt::format("{}, which this instance's own muster made, and the configuration now wants "
                       "it to be called {}; go back to the old ephemeral.volume_group, or {}",
                       belongs, now.layout.volume_group, advice);
}

/// The disk has an LVM label and nothing else.
Judgement judge_label(const Situation& now, const Disk& disk, const VolumeGroup* ours) {
    const auto is_disk = [&](const PhysicalVolume& volume) {
        return !volume.missing && volume.major == disk.major && volume.minor == disk.minor;
    };
    for (const auto& group : now.lvm.groups) {
        if (std::ranges::none_of(group.physical, is_disk)) continue;
        if (&group == ours) return Standing::ours;
        return refuse(disk, "ephemeral-foreign-data", foreign_group(now, disk, group));
    }
    const auto orphan = std::ranges::find_if(now.lvm.orphans, is_disk);
    // A label that no group uses holds no data. An assembly that was cut short leaves such.
    if (orphan != now.lvm.orphans.end() && !orphan->in_use) return Standing::blank;
    return refuse(disk, orphan == now.lvm.orphans.end() ? "cannot-tell" : "ephemeral-foreign-data",
                  fmt::format("{} carries an LVM label, and LVM does not say of which group; {}",
                              disk.node, advice));
}

Judgement judge_content(const Situation& now, const Candidate& candidate, const VolumeGroup* ours) {
    const auto& [disk, evidence, content] = candidate;
    if (content.signatures.empty()) {
        if (content.zeroed || content.lvm_remains) return Standing::blank;
        return refuse(
            disk, "ephemeral-foreign-data",
            fmt::format("{} carries data without a signature that is known (its first or last "
                        "MiB is not zero); {}",
                        disk.node, advice));
    }
    if (content.signatures.size() == 1 && content.signatures.front().type == lvm_label) {
        return judge_label(now, disk, ours);
    }
    return refuse(disk, "ephemeral-foreign-data",
                  fmt::format("{} carries data that is not ours{}; {}", disk.node,
                              found_on(candidate), advice));
}

} // namespace

bool is_ours(const Situation& situation, const VolumeGroup& group) {
    return group.name == situation.layout.volume_group && group.has_tag(owner_tag) &&
           group.has_tag(instance_tag(situation.instance_id));
}

std::expected<Standing, Refusal> judge(const Situation& situation, const Candidate& candidate,
                                       const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    if (!disk.unknown.empty()) {
        return refuse(disk, "cannot-tell",
                      fmt::format("{}: {}; nothing is written to a disk that is not wholly known",
                                  disk.node, disk.unknown.front()));
    }
    if (disk.read_only) return refuse(disk, "assembly-failed", disk.node + " is read-only");
    if (const auto use = in_use(situation, disk); !use.empty()) {
        return refuse(disk, "ephemeral-foreign-data",
                      fmt::format("{} {}{}; muster did not do that and leaves it alone", disk.node,
                                  use, found_on(candidate)));
    }
    return judge_content(situation, candidate, ours);
}

} // namespace muster::lvm
