// The stages of the boot job, one function each. `boot` says in which order and what runs side by
// side; the read-only commands use the same functions.
#pragma once

#include <optional>
#include <vector>

#include "agent/config.h"
#include "agent/record.h"
#include "agent/world.h"
#include "lvm/plan.h"
#include "probes/ephemeral.h"
#include "probes/metadata.h"

namespace muster {

void check_root(const World& world, const Config& config, Progress& progress, Deadline deadline);

void check_ebs(const World& world, const Config& config, const probes::Mapping& mapping,
               Progress& progress, Deadline deadline);

/// The disks that are positively ephemeral, once there are as many as expected; nothing where there
/// are too few, which is a finding.
[[nodiscard]] std::optional<std::vector<probes::KnownDisk>>
find_ephemeral(const World& world, const Config& config, const probes::KnownMetadata& known,
               Progress& progress, Deadline deadline);

/// What is to be done with them. A failed look is a finding.
[[nodiscard]] std::optional<lvm::Plan> plan_storage(const World& world, const Config& config,
                                                    const std::vector<probes::KnownDisk>& disks,
                                                    const std::string& instance_id,
                                                    Progress& progress, Deadline deadline);

/// Carries the plan out, or, in mode "observe", only reports it.
void apply_plan(const World& world, const Config& config, const lvm::Plan& plan, Progress& progress,
                Deadline deadline);

/// The report's `storage` as it is now on the machine.
void report_storage(const World& world, const Config& config, const lvm::Plan& plan,
                    Progress& progress, Deadline deadline);

} // namespace muster
