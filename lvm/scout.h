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
    /// All that is begun ends by `deadline`. A disk that hangs is given up after `look_limit`, LVM
    /// after a minute.
    Scout(const Machine& machine, Deadline deadline);
    /// Waits for what was begun.
    ~Scout();
    Scout(const Scout&) = delete;
    Scout& operator=(const Scout&) = delete;

    /// Begins to look at the disks, and to ask LVM for its version; returns at once. Not again
    /// where that was begun already, unless it is over and began more than two seconds ago, or the
    /// disk has changed since.
    void begin(const std::vector<Disk>& disks);

    /// What was seen on each of the disks, in their order: those that were not begun are begun, and
    /// what went wrong before this call is tried again.
    [[nodiscard]] std::vector<std::expected<Look, Failure>> looks(const std::vector<Disk>& disks);

    /// The machine's LVM, with its version; none where it is not installed. Asked anew where that
    /// went wrong before this call.
    [[nodiscard]] std::expected<std::optional<LvmTool>, Failure> tool();

  private:
    struct Begun;
    Begun& start_look(const Disk& disk);
    Begun& begin_look(const Disk& disk);
    void begin_tool();

    const Machine machine_;
    Deadline deadline_;
    std::vector<std::unique_ptr<Begun>> begun_; ///< the latest of a disk comes last
    std::expected<std::optional<LvmTool>, Failure> tool_;
    std::unique_ptr<Job> asks_; ///< LVM
    Instant asked_;
};

} // namespace muster::lvm
