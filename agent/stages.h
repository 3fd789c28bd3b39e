// The stages of the boot job, one function each. `boot` says in which order and what runs side by
// side; the read-only commands use the same functions.
#pragma once

#include <optional>
#include <vector>

#include "agent/config/config.h"
#include "agent/record.h"
#include "agent/world.h"
#include "lvm/plan.h"
#include "lvm/scout.h"
#include "lvm/survey.h"
#include "probes/metadata.h"

namespace muster {

/// What of the world concerns the disks.
[[nodiscard]] lvm::Machine machine_of(const World& world);

/// How root is mounted, and whether there is room. Its I/O is tried beside the boot job, for as
/// long as that goes on (probes/root_io.h).
void check_root(const World& world, const Config& config, Progress& progress, Deadline deadline);

/// Reads from root, once, and never writes.
void look_at_root(const World& world, const Config& config, Progress& progress, Deadline deadline);

/// What the kernel says of the machine's disks: evidence, never gating.
void look_at_kernel(const World& world, Progress& progress);

/// `writes`: those volumes of which it is asked are written to, too.
void check_ebs(const World& world, const Config& config, const probes::Mapping& mapping,
               bool writes, Progress& progress, Deadline deadline);

/// No command that writes to disks is under way now, not even one that an earlier run left behind.
[[nodiscard]] bool nobody_writes(const World& world);

/// Begins to look at the disks that say of themselves that they are ephemeral, and to ask LVM for
/// its version: nothing of it needs the metadata. Whether they may be written to is decided later.
void look_ahead(const World& world, const Config& config, lvm::Scout& scout);

/// The disks that are positively ephemeral, and what is to be done with them.
struct PlannedDisks {
    std::vector<lvm::ProvedDisk> disks;
    lvm::Plan plan;
};

/// Waits for as many disks as are expected, and for those that our volume group is made of; then
/// plans. Too few, or a failed look, is a finding, and there is no plan.
[[nodiscard]] std::optional<PlannedDisks> plan_storage(const World& world, const Config& config,
                                                       const probes::KnownMetadata& known,
                                                       lvm::Scout& scout, Progress& progress,
                                                       Deadline deadline);

/// Carries the plan out, or, in mode "observe", only reports it.
void apply_plan(const World& world, const Config& config, const lvm::Plan& plan, Progress& progress,
                Deadline deadline);

/// Runs the owner's checks, the configured ones and those in checks.d, side by side.
void run_checks(const World& world, const Config& config, Progress& progress, Deadline deadline);

/// Says, where there are checks, that none was run, since `obstacle` (Progress::obstacle) was found
/// before.
void skip_checks(const World& world, const Config& config, const std::string& obstacle,
                 Progress& progress, Deadline deadline);

/// The report's `storage` as it is now on the machine.
void report_storage(const World& world, const Config& config, const lvm::Plan& plan,
                    Progress& progress, Deadline deadline);

} // namespace muster
