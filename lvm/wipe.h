// Emptying a disk: zeros where signatures live.
#pragma once

#include <expected>
#include <vector>

#include "lvm/plan.h"
#include "lvm/survey.h"

namespace muster::lvm {

/// What is zeroed, in this order. What proves that the disk may be wiped goes last: a power cut
/// between two leaves it such that the next run comes to the same judgement. Pure.
[[nodiscard]] std::vector<Extent> extents_of(const WipeDisk& step);

/// Carries the step out, if the disk still holds what was seen on it, and reads it back.
[[nodiscard]] std::expected<void, Failure> wipe(const Machine& machine, const WipeDisk& step,
                                                Deadline deadline);

} // namespace muster::lvm
