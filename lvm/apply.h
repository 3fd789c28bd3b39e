// Carries out a plan. With lvm/filesystem the only code that changes a disk.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lvm/plan.h"
#include "lvm/survey.h"

namespace muster::lvm {

/// Told before each step and after it (`error` empty: it succeeded).
struct StepNotice {
    std::function<void(const std::string& what)> begin;
    std::function<void(const std::string& what, const std::string& error)> end;
    /// Before the group is created: what had to be wiped or given up is gone from every disk.
    std::function<void()> blank = {};
};

/// Takes the plan's steps in order, each followed by reading back what it did from the kernel, not
/// from LVM. Right before each one that destroys, all must be as it was when the plan was made
/// (lvm/recheck). Stops at the first failure. Nothing at all is done with a plan that refuses.
///
/// LVM's quiet nodes (agent/sys/kernel.h) stay: udev is to be told when nothing waits for the
/// processor any more.
[[nodiscard]] std::expected<void, Failure> apply(const Machine& machine, const Plan& plan,
                                                 Deadline deadline, const StepNotice& notice);

} // namespace muster::lvm
