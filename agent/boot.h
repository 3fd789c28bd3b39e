// The boot job: everything that `muster run` does to the machine.
#pragma once

#include "agent/config/config.h"
#include "agent/record.h"
#include "agent/world.h"

namespace muster {

/// Confirms who we are, assembles the disks, probes the volumes, and tells `progress` all of it.
/// The record that results is all that the verdict is made from.
void boot(const World& world, const Config& config, Progress& progress, Deadline deadline);

} // namespace muster
