// Reads all that the plan is made from. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "lvm/machine.h"
#include "lvm/plan.h"
#include "lvm/scout.h"

namespace muster::lvm {

/// A disk that the caller has proved to be ephemeral.
struct ProvedDisk {
    Disk disk;
    std::string evidence;
};

/// The machine's disks, told apart.
struct Inventory {
    std::vector<ProvedDisk> ephemeral;
    std::vector<Disk> others; ///< nothing is ever written to these
};

/// Looks at each ephemeral disk (isolated, since a sick one may hang), at LVM where one carries its
/// label, at device-mapper and at the mounts; at the others for a group of our name, where a new
/// one is to be made. What `scout` has begun is not looked at twice.
[[nodiscard]] std::expected<Situation, Failure>
survey(const Machine& machine, Scout& scout, const Inventory& inventory, const GroupLayout& layout,
       const std::string& instance_id, Deadline deadline);

} // namespace muster::lvm
