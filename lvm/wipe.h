// Emptying a disk: zeros where signatures live.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "lvm/plan.h"
#include "lvm/survey.h"

namespace muster::lvm {

/// What is zeroed, in this order. What proves that the disk may be wiped goes last: a power cut
/// between two leaves it such that the next run comes to the same judgement. Pure.
[[nodiscard]] std::vector<Extent> extents_of(const WipeDisk& step);

/// Carries the step out, if the disk still holds what was seen on it and none has claimed it, and
/// reads it back: what is left there. `written`: what a refusal says of the plan's earlier steps.
[[nodiscard]] std::expected<DiskContent, Failure>
wipe(const Machine& machine, const WipeDisk& step, const std::string& written, Deadline deadline);

} // namespace muster::lvm
