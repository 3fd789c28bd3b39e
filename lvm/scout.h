// What can be learned of disks and of LVM before it is confirmed whose the disks are.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "lvm/machine.h"
#include "lvm/plan.h"

namespace muster::lvm {

/// What is on a disk, and whether somebody has it for himself. One who is seen to use it is not
/// asked for: then `claimed` is false.
struct Look {
    DiskContent content;
    bool claimed = false;
};

/// Looks at disks, side by side, and beside whatever its owner does. It only ever reads.
class Scout {
  public:
    /// All that is begun ends by `deadline`, and each look within 20 s of its beginning.
    Scout(const Machine& machine, Deadline deadline);
    /// Waits for what was begun.
    ~Scout();
    Scout(const Scout&) = delete;
    Scout& operator=(const Scout&) = delete;

    /// Begins to look at the disks, and to ask LVM for its version; returns at once. Not again
    /// where that was begun already, unless it is two seconds ago, or the disk has changed since.
    void begin(const std::vector<Disk>& disks);

    /// What was seen on each of the disks, in their order: those that were not begun are begun.
    [[nodiscard]] std::vector<std::expected<Look, Failure>> looks(const std::vector<Disk>& disks);

    /// The machine's LVM, with its version; none where it is not installed.
    [[nodiscard]] std::expected<std::optional<LvmTool>, Failure> tool();

  private:
    struct Begun;
    Begun& begin_look(const Disk& disk);
    void begin_tool();

    const Machine machine_;
    Deadline deadline_;
    std::vector<std::unique_ptr<Begun>> begun_; ///< the latest of a disk comes last
    std::expected<std::optional<LvmTool>, Failure> tool_;
    std::unique_ptr<Job> asks_; ///< LVM
};

} // namespace muster::lvm
