// What one disk is to us: free to be used, ours already, or none of our business. Pure.
#pragma once

#include <expected>
#include <string>

#include "lvm/plan.h"

namespace muster::lvm {

enum class Standing {
    blank, ///< holds nothing: zeros
    ours,  ///< a disk of our volume group
    wipe,  ///< holds something that may be destroyed
};

struct Judgement {
    Standing standing = Standing::blank;
    std::string why = {}; ///< of `wipe`: what is on the disk, and what permits to destroy it
    /// What is on the disk is no data: nothing, or no volume that was ever finished.
    bool without_data = false;
};

/// Our tag and this instance's, under whatever name: muster made the group here.
[[nodiscard]] bool is_tagged_ours(const Situation& situation, const VolumeGroup& group);
/// The same, under the name that the configuration has now.
[[nodiscard]] bool is_ours(const Situation& situation, const VolumeGroup& group);

/// LVM found this very disk, and says that it is one of the group's.
[[nodiscard]] bool has_disk(const VolumeGroup& group, const Disk& disk);
/// Whether a node of device-mapper is one of this group's volumes, or a part of one.
[[nodiscard]] bool is_node_of(const ActiveVolume& node, const VolumeGroup& group);

/// `ours`: our volume group, or null where there is none. A refusal says what was found on the disk
/// and what can be done about it. A disk that is in use, read-only or not wholly known is refused,
/// whatever the configuration says.
[[nodiscard]] std::expected<Judgement, Refusal>
judge(const Situation& situation, const Candidate& candidate, const VolumeGroup* ours);

/// A new instance would lose nothing with this disk: it is proved blank and not in use, or ours
/// with no finished volume. What may be wiped and is not wiped yet is data.
[[nodiscard]] bool is_without_data(const Situation& situation, const Candidate& candidate,
                                   const VolumeGroup* ours);

} // namespace muster::lvm
