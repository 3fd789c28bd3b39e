// Programs that have a disk open, though none has claimed it: whatever reads or writes a raw
// device.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/sys/disk.h"
#include "lvm/machine.h"

namespace muster::lvm {

struct DiskOpeners {
    std::map<std::string, std::vector<Opener>> of; ///< by the disk's name; those that count
    std::string unseen;                            ///< what could not be seen, for a person
};

/// Whether that process, which has that disk (or a partition of it) open, is a hindrance.
using Counts = std::function<bool(const Disk& disk, const Opener& opener)>;

/// Looks again, for ten seconds at most, for as long as there is one that counts: udev opens a disk
/// for a moment to see what is on it, and so does a look of ours that has just ended.
[[nodiscard]] std::expected<DiskOpeners, Failure> wait_for_openers(const Machine& machine,
                                                                   const std::vector<Disk>& disks,
                                                                   const Counts& counts,
                                                                   Deadline deadline);

/// Zeros, or the label of a group that is gone.
[[nodiscard]] bool holds_nothing(const DiskContent& content);

/// A reader may be saving what is on a disk, so it is no hindrance only where nothing is.
[[nodiscard]] bool is_hindrance(const Opener& opener, const DiskContent& content);

/// "is held open by dd (pid 42)"
[[nodiscard]] std::string describe(const std::vector<Opener>& openers);

} // namespace muster::lvm
