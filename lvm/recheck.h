// Whether all is still as it was when the plan was made: asked right before a step that destroys.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lvm/machine.h"
#include "lvm/plan.h"

namespace muster::lvm {

class Recheck {
  public:
    /// `left`: what steps of this plan have left on disks, by node; else they are as in the plan.
    /// `untouched`: no step has written anything yet.
    Recheck(const Machine& machine, const Plan& plan,
            const std::map<std::string, DiskContent>& left, Deadline deadline, bool untouched)
        : machine_(machine), plan_(plan), left_(left), deadline_(deadline), untouched_(untouched) {}

    using Done = std::expected<void, Failure>;

    /// A kernel name may have come to mean another disk: serials, models, sizes and numbers.
    [[nodiscard]] Done same_disks() const;

    /// No program has the disk open. What it holds, and that it is claimed by none, `Kernel::wipe`
    /// sees under its own claim.
    [[nodiscard]] Done before(const WipeDisk& step) const;
    /// The disks hold what they held, and no program has one open.
    [[nodiscard]] Done before(const MarkGroup& step) const;
    [[nodiscard]] Done before(const RemoveGroup& step) const;
    /// Likewise; and none is claimed.
    [[nodiscard]] Done before(const CreateGroup& step) const;

    /// "nothing was written", where that is so.
    [[nodiscard]] std::string written() const;

  private:
    [[nodiscard]] Done is_same(const Disk& disk) const;
    [[nodiscard]] Done not_open(const std::vector<Disk>& disks, bool blank) const;
    [[nodiscard]] Done not_claimed(const Disk& disk) const;
    [[nodiscard]] Done are_as_before(const std::vector<std::string>& nodes) const;
    [[nodiscard]] Done holds_the_same(std::size_t index) const;
    [[nodiscard]] Done side_by_side_on_all(const std::function<Done(std::size_t)>& look) const;
    const Machine& machine_;
    const Plan& plan_;
    const std::map<std::string, DiskContent>& left_;
    Deadline deadline_;
    bool untouched_;
};

} // namespace muster::lvm
