#include "lvm/judge.h"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr std::string_view lvm_label = "LVM2_member";
constexpr std::uint64_t volumes_begin = 1 << 20; ///< on a disk of a group that muster made
constexpr std::string_view advice = "save what is needed and wipe it, or take a new instance";

using Judged = std::expected<Judgement, Refusal>;

Judged refuse(const Disk& disk, std::string_view reason, std::string message) {
    return std::unexpected(Refusal{disk.name, std::string(reason), std::move(message)});
}

/// The first few of them: ZFS has one in each place of a ring.
std::string found_on(const Candidate& candidate) {
    constexpr std::size_t most = 8;
    const auto& signatures = candidate.content.signatures;
    std::string text;
    for (const auto& signature : signatures | std::views::take(most)) {
        text += (text.empty() ? ": found " : ", ") + describe(signature);
    }
    if (signatures.size() > most) text += fmt::format(" and {} more", signatures.size() - most);
    return text;
}

bool has_finished_volume(const VolumeGroup& group) {
    return !std::ranges::all_of(group.logical, is_unfinished);
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

/// A group with our tag that is not the one: never foreign, and never wiped.
Judged refuse_tagged(const Situation& now, const Disk& disk, const VolumeGroup& group) {
    const auto belongs = fmt::format("{} belongs to the volume group {}", disk.node, group.name);
    if (!is_tagged_ours(now, group)) {
        return refuse(disk, "cannot-tell",
                      fmt::format("{} of another instance ({}), this one is {}: no instance-store "
                                  "disk comes from another instance, so the metadata or the "
                                  "disk's origin is wrong; nothing is written to it, whatever "
                                  "ephemeral.on_foreign_data says",
                                  belongs, fmt::join(group.tags, ", "), now.instance_id));
    }
    if (group.name == now.layout.volume_group) {
        return refuse(
            disk, "ephemeral-foreign-data",
            fmt::format("{}, and another group of this instance's has the same name", belongs));
    }
    return refuse(disk, "layout-changed",
                  fmt::format("{0}, which is this instance's own, and the configuration now wants "
                              "it to be called {2}: go back to the old ephemeral.volume_group, or "
                              "rename the group with `vgrename {1} {2}`",
                              belongs, group.name, now.layout.volume_group));
}

bool is_disk(const PhysicalVolume& volume, const Disk& disk) {
    return !volume.missing && volume.major == disk.major && volume.minor == disk.minor;
}

/// Why a stranger's group may not be wiped at all; "" where it may. LVM is shown our disks alone,
/// so a disk that is not ephemeral looks like one that is missing.
std::string beyond_reach(const Situation& now, const VolumeGroup& group) {
    // What is left of a group that was whole when its wipe began.
    if (group.has_tag(wipe_tag(now.instance_id))) return "";
    const auto beyond = std::ranges::count_if(group.physical, [&](const PhysicalVolume& volume) {
        return std::ranges::none_of(
            now.candidates, [&](const Candidate& one) { return is_disk(volume, one.disk); });
    });
    if (beyond > 0) {
        return fmt::format("{} of its {} disks are not among the ephemeral disks here", beyond,
                           group.physical.size());
    }
    // It can't get that tag.
    if (group.exported && group.physical.size() > 1) return "it is exported, to be taken elsewhere";
    return "";
}

/// A disk of our own group. A signature among its volumes' data is no matter: md 1.0 in the last
/// block of the last volume may stand in the last one of the disk. One before these is a
/// stranger's.
Judged judge_member(const Candidate& candidate, const VolumeGroup& group) {
    const auto& disk = candidate.disk;
    const auto& signatures = candidate.content.signatures;
    const auto stray = std::ranges::find_if(signatures, [](const Signature& signature) {
        return signature.type != lvm_label && signature.offset < volumes_begin;
    });
    if (stray == signatures.end() && disk.partitions.empty()) {
        return Judgement{.standing = Standing::ours, .without_data = !has_finished_volume(group)};
    }
    return refuse(disk, "ephemeral-foreign-data",
                  fmt::format("{} belongs to our volume group {}, and carries {} besides: another "
                              "program has written to it; {}",
                              disk.node, group.name,
                              stray == signatures.end() ? "partitions" : describe(*stray), advice));
}

Judged judge_group(const Situation& now, const Candidate& candidate, const VolumeGroup& group,
                   const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    if (&group == ours) return judge_member(candidate, group);
    if (ours != nullptr && is_ours(now, group)) {
        return Judgement{Standing::wipe,
                         fmt::format("{} belongs to an earlier volume group {} of ours that "
                                     "was given up",
                                     disk.node, group.name)};
    }
    if (group.has_tag(owner_tag)) return refuse_tagged(now, disk, group);
    const auto what =
        fmt::format("{} belongs to the volume group {}, which is not ours (it has no tag \"{}\")",
                    disk.node, group.name, owner_tag);
    const auto why_not = beyond_reach(now, group);
    if (why_not.empty()) return foreign(now, candidate, what);
    return refuse(disk, "ephemeral-foreign-data",
                  fmt::format("{}, and {}: it is never wiped, whatever ephemeral.on_foreign_data "
                              "says; {}",
                              what, why_not, advice));
}

/// The disk has an LVM label and nothing else, and LVM names no group that has it.
Judged judge_label(const Situation& now, const Candidate& candidate) {
    const auto& disk = candidate.disk;
    const auto orphan =
        std::ranges::find_if(now.lvm.orphans, [&](const auto& one) { return is_disk(one, disk); });
    if (orphan == now.lvm.orphans.end()) {
        return refuse(
            disk, "cannot-tell",
            fmt::format("{} carries an LVM label, and LVM does not say of which group; {}",
                        disk.node, advice));
    }
    // It holds no data. Its uuid must go (remove_labels in lvm/tool.h).
    if (!orphan->in_use) {
        return Judgement{Standing::wipe,
                         fmt::format("{} carries an LVM label that no group uses", disk.node),
                         true};
    }
    if (candidate.content.lvm_empty) {
        return Judgement{Standing::wipe,
                         fmt::format("{} carries an LVM label that says \"in use\", and its "
                                     "metadata area holds no group: a vgcreate or vgremove was cut "
                                     "short",
                                     disk.node),
                         true};
    }
    return refuse(
        disk, "ephemeral-foreign-data",
        fmt::format("{} carries an LVM label of a group that LVM can't find: its metadata "
                    "are damaged, or on another disk only, so it is never wiped, whatever "
                    "ephemeral.on_foreign_data says; {}",
                    disk.node, advice));
}

Judged judge_content(const Situation& now, const Candidate& candidate, const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    const auto& content = candidate.content;
    for (const auto& group : now.lvm.groups) {
        if (has_disk(group, disk)) return judge_group(now, candidate, group, ours);
    }
    if (!disk.partitions.empty()) {
        return foreign(now, candidate,
                       fmt::format("{} is partitioned ({}){}", disk.node, disk.partitions.front(),
                                   found_on(candidate)));
    }
    if (content.signatures.empty()) {
        if (content.zeroed || content.lvm_remains) {
            return Judgement{.standing = Standing::blank, .without_data = true};
        }
        return foreign(now, candidate,
                       fmt::format("{} carries data without a signature that is known (its first "
                                   "or last MiB is not zero)",
                                   disk.node));
    }
    if (content.signatures.size() == 1 && content.signatures.front().type == lvm_label) {
        return judge_label(now, candidate);
    }
    return foreign(
        now, candidate,
        fmt::format("{} carries data that is not ours{}", disk.node, found_on(candidate)));
}

/// By all but whether it can be written to: a disk that can only be read has its data all the same.
Judged judge_readable(const Situation& now, const Candidate& candidate, const VolumeGroup* ours) {
    const auto& disk = candidate.disk;
    if (!disk.unknown.empty()) {
        return refuse(disk, "cannot-tell",
                      fmt::format("{}: {}; nothing is written to a disk that is not wholly known",
                                  disk.node, disk.unknown.front()));
    }
    if (const auto use = in_use(now, candidate); !use.empty()) {
        return refuse(disk, "ephemeral-foreign-data",
                      fmt::format("{} {}{}; muster did not do that and leaves it alone", disk.node,
                                  use, found_on(candidate)));
    }
    return judge_content(now, candidate, ours);
}

} // namespace

bool is_tagged_ours(const Situation& situation, const VolumeGroup& group) {
    return group.has_tag(owner_tag) && group.has_tag(instance_tag(situation.instance_id));
}

bool is_ours(const Situation& situation, const VolumeGroup& group) {
    return group.name == situation.layout.volume_group && is_tagged_ours(situation, group);
}

bool has_disk(const VolumeGroup& group, const Disk& disk) {
    return std::ranges::any_of(group.physical,
                               [&](const auto& volume) { return is_disk(volume, disk); });
}

bool is_node_of(const ActiveVolume& node, const VolumeGroup& group) {
    return mapper_group(node.uuid) == mapper_uuid(group.uuid);
}

std::expected<Judgement, Refusal> judge(const Situation& situation, const Candidate& candidate,
                                        const VolumeGroup* ours) {
    auto judged = judge_readable(situation, candidate, ours);
    if (!judged || !candidate.disk.read_only) return judged;
    return refuse(candidate.disk, "assembly-failed",
                  fmt::format("{} is read-only{}{}", candidate.disk.node,
                              judged->why.empty() ? "" : ", so it can't be wiped: ", judged->why));
}

bool is_without_data(const Situation& situation, const Candidate& candidate,
                     const VolumeGroup* ours) {
    const auto judged = judge_readable(situation, candidate, ours);
    // A node of device-mapper may go on where its group is gone from the disk.
    return judged && judged->without_data &&
           (judged->standing == Standing::ours || candidate.disk.holders.empty());
}

} // namespace muster::lvm
