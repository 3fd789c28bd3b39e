// Filesystems on volumes of ours: made, mounted, and both read back.
#pragma once

#include "lvm/plan.h"
#include "lvm/survey.h"

namespace muster::lvm {

/// The plan's volume as device-mapper has it now, proved ours: its uuid is LVM's and it lies on the
/// group's disks and no other.
[[nodiscard]] std::expected<ActiveVolume, Failure>
find_volume(const Machine& machine, const Plan& plan, const std::string& volume);

[[nodiscard]] std::expected<void, Failure> make(const Machine& machine, const Plan& plan,
                                                const MakeFilesystem& step, Deadline deadline);

[[nodiscard]] std::expected<void, Failure> mount(const Machine& machine, const Plan& plan,
                                                 const MountVolume& step, Deadline deadline);

/// Runs a command, again for as long as another LVM command has LVM's own lock.
[[nodiscard]] Result<CommandOutput> run_patiently(const Machine& machine, const Command& command,
                                                  Deadline deadline);

/// Runs a command that must succeed. The failure's message ends with what the command said.
[[nodiscard]] std::expected<void, Failure> must_run(const Machine& machine, const Command& command,
                                                    Deadline deadline);

} // namespace muster::lvm
