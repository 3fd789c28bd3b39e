// Whether the group that is there can give what the configuration asks for now. Pure.
#pragma once

#include "lvm/plan.h"

namespace muster::lvm {

/// For a group of ours that is whole. What it cannot give is refused as `layout-changed`, with the
/// words that lead out: lvcreate would fail, on a machine that is well. What is only not as it
/// would be made today is noted, and left as it is.
void check_room(const Situation& situation, const VolumeGroup& group, Plan& plan);

} // namespace muster::lvm
