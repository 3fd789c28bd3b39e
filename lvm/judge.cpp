#include "lvm/judge.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr std::string_view lvm_label = "LVM2_member";
constexpr std::string_view advice = "save what is needed and wipe it, or take a new instance";

using Judged = std::expected<Judgement, Refusal>;

Judged refuse(const Disk& disk, std::string_view reason, std::string message) {
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
std::string in_use(const Situation& now, const Candidate& candidate) {
    const auto& disk = candidate.disk;
    if (!disk.mounts.empty()) {
        const auto& at = disk.mounts.front();
        return "is mounted at " + at +
               (at == "/mnt" ? " (cloud-init does that unless its `mounts` has [ephemeral0, null])"
                             : "");
    }
    if (disk.swap) return "is swapped to";
    for (const auto& holder : disk.holders) {
        const bool ours = std::ranges::any_of(
            now.active, [&](const auto& active) { return active.second.node == "/dev/" + holder; });
        if (!ours) return "is in use by " + holder;
    }
    if (candidate.claimed) {
        return "is in use (the kernel gives it to nobody else), by something that can't be seen "
               "from here, such as a mount in another mount namespace";
    }
    return "";
}

/// Something is on the disk that is not ours: what the configuration says about that.
Judged foreign(const Situation& now, const Candidate& candidate, const std::string& what) {
    const auto because = [&](std::string_view setting) {
        return Judgement{Standing::wipe,
                         fmt::format("{} (ephemeral.on_foreign_data is \"{}\")", what, setting)};
    };
    const bool preformatted = candidate.content.preformatted && candidate.disk.partitions.empty();
    switch (now.layout.on_foreign_data) {
    case ForeignData::wipe: return because("wipe");
    case ForeignData::wipe_preformatted:
        if (preformatted) return because("wipe-preformatted");
        break;
    case ForeignData::refuse: break;
    }
    return refuse(candidate.disk, "ephemeral-foreign-data",
                  fmt::format("{}; {}{}", what, advice,
                              preformatted ? ". It holds no file: ephemeral.on_foreign_data "
                                             "\"wipe-preformatted\" would let muster use it"
                                           : ""));
}

std::string whose_group(const Situation& now, const Disk& disk, const VolumeGroup& group) {
    const auto belongs = fmt::format("{} belongs to the volume group {}", disk.node, group.name);
    if (!group.has_tag(owner_tag)) {
        return fmt::format("{}, which is not ours (it has no tag \"{}\")", belongs, owner_tag);
    }
    if (!group.has_tag(instance_tag(now.instance_id))) {
        return fmt::format("{} of another instance ({}), this one is {}", belongs,
                           fmt::join(group.tags, ", "), now.instance_id);
    }
    return fmt::format("{}, which this instance's own muster made, and the configuration now wants "
                       "it to be called {}: go back to the old ephemeral.volume_group",
                       belongs, now.layout.volume_group);
}

/// The disk has an LVM label and nothing else.
Judged judge_label(const Situation& now, const Candidate& candidate, const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    const auto is_disk = [&](const PhysicalVolume& volume) {
        return !volume.missing && volume.major == disk.major && volume.minor == disk.minor;
    };
    for (const auto& group : now.lvm.groups) {
        if (std::ranges::none_of(group.physical, is_disk)) continue;
        if (&group == ours) return Judgement{Standing::ours};
        if (ours != nullptr && is_ours(now, group)) {
            return Judgement{Standing::wipe,
                             fmt::format("{} belongs to an earlier volume group {} of ours that "
                                         "was given up",
                                         disk.node, group.name)};
        }
        return foreign(now, candidate, whose_group(now, disk, group));
    }
    const auto orphan = std::ranges::find_if(now.lvm.orphans, is_disk);
    if (orphan == now.lvm.orphans.end()) {
        return refuse(
            disk, "cannot-tell",
            fmt::format("{} carries an LVM label, and LVM does not say of which group; {}",
                        disk.node, advice));
    }
    // A label that no group uses holds no data. An assembly that was cut short leaves such.
    if (!orphan->in_use) return Judgement{Standing::blank};
    if (candidate.content.lvm_empty) {
        return Judgement{Standing::wipe,
                         fmt::format("{} carries an LVM label that says \"in use\", and its "
                                     "metadata area holds no group: a vgcreate or vgremove was cut "
                                     "short",
                                     disk.node)};
    }
    return foreign(
        now, candidate,
        fmt::format("{} carries an LVM label of a group that LVM can't find", disk.node));
}

Judged judge_content(const Situation& now, const Candidate& candidate, const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    const auto& content = candidate.content;
    if (!disk.partitions.empty()) {
        return foreign(now, candidate,
                       fmt::format("{} is partitioned ({}){}", disk.node, disk.partitions.front(),
                                   found_on(candidate)));
    }
    if (content.signatures.empty()) {
        if (content.zeroed || content.lvm_remains) return Judgement{Standing::blank};
        return foreign(now, candidate,
                       fmt::format("{} carries data without a signature that is known (its first "
                                   "or last MiB is not zero)",
                                   disk.node));
    }
    if (content.signatures.size() == 1 && content.signatures.front().type == lvm_label) {
        return judge_label(now, candidate, ours);
    }
    return foreign(
        now, candidate,
        fmt::format("{} carries data that is not ours{}", disk.node, found_on(candidate)));
}

} // namespace

bool is_ours(const Situation& situation, const VolumeGroup& group) {
    return group.name == situation.layout.volume_group && group.has_tag(owner_tag) &&
           group.has_tag(instance_tag(situation.instance_id));
}

std::expected<Judgement, Refusal> judge(const Situation& situation, const Candidate& candidate,
                                        const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    if (!disk.unknown.empty()) {
        return refuse(disk, "cannot-tell",
                      fmt::format("{}: {}; nothing is written to a disk that is not wholly known",
                                  disk.node, disk.unknown.front()));
    }
    if (disk.read_only) return refuse(disk, "assembly-failed", disk.node + " is read-only");
    if (const auto use = in_use(situation, candidate); !use.empty()) {
        return refuse(disk, "ephemeral-foreign-data",
                      fmt::format("{} {}{}; muster did not do that and leaves it alone", disk.node,
                                  use, found_on(candidate)));
    }
    return judge_content(situation, candidate, ours);
}

} // namespace muster::lvm
