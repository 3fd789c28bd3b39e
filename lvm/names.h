// Whether the nodes that device-mapper has under our group's name are our group's. Pure.
#pragma once

#include <vector>

#include "lvm/plan.h"

namespace muster::lvm {

struct JudgedDisks {
    const std::vector<const Candidate*>& ours; ///< of our group
    const std::vector<const Candidate*>& free; ///< blank, or to be wiped
};

/// A stranger's volumes may have the names that ours would get: --devices hides their group from
/// LVM, so only device-mapper can tell. An owner's own volumes in our group are his. Adds refusals.
/// `group`: ours, null where there is none.
void check_names(const Situation& situation, const VolumeGroup* group, const JudgedDisks& disks,
                 Plan& plan);

} // namespace muster::lvm
