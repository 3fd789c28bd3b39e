// Filesystems on volumes of ours: made, mounted, and both read back.
#pragma once

#include "lvm/machine.h"
#include "lvm/plan.h"

namespace muster::lvm {

/// The plan's volume as device-mapper has it now, proved ours: its uuid is LVM's and it lies on the
/// group's disks and no other.
[[nodiscard]] std::expected<ActiveVolume, Failure>
find_volume(const Machine& machine, const Plan& plan, const std::string& volume);

/// A volume that was just created carries nothing at its start. LVM wiped it a moment ago, so what
/// stands there now was written by another program.
[[nodiscard]] std::expected<void, Failure> check_empty(const Machine& machine,
                                                       const std::string& node, Deadline deadline);

[[nodiscard]] std::expected<void, Failure> make(const Machine& machine, const Plan& plan,
                                                const MakeFilesystem& step, Deadline deadline);

[[nodiscard]] std::expected<void, Failure> check(const Machine& machine, const Plan& plan,
                                                 const CheckFilesystem& step, Deadline deadline);

[[nodiscard]] std::expected<void, Failure> mount(const Machine& machine, const Plan& plan,
                                                 const MountVolume& step, Deadline deadline);

} // namespace muster::lvm
