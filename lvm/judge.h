// What one disk is to us: free to be used, ours already, or none of our business. Pure.
#pragma once

#include <expected>
#include <string>

#include "lvm/plan.h"

namespace muster::lvm {

enum class Standing {
    blank, ///< holds nothing: zeros, or an LVM label that no group uses
    ours,  ///< a disk of our volume group
};

/// Our name, our tag, and this instance's tag: all three, or it is somebody else's.
[[nodiscard]] bool is_ours(const Situation& situation, const VolumeGroup& group);

/// `ours`: our volume group, or null where there is none. A refusal says what was found on the disk
/// and what can be done about it.
[[nodiscard]] std::expected<Standing, Refusal>
judge(const Situation& situation, const Candidate& candidate, const VolumeGroup* ours);

} // namespace muster::lvm
