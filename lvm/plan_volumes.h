// The part of a plan that is about the volumes in the group. Pure.
#pragma once

#include "lvm/plan.h"

namespace muster::lvm {

/// Adds to `plan` the steps that the layout's volumes take, and refusals. `plan.devices` are the
/// group's. `group`: as it is now; null where an earlier step makes it anew.
void plan_volumes(const Situation& situation, const VolumeGroup* group, Plan& plan);

} // namespace muster::lvm
