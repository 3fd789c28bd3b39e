// Reads all that the plan is made from. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/command.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "lvm/plan.h"

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

/// Why no answer could be had, as a reason code and a message.
struct Failure {
    std::string reason;
    std::string message;
};

/// The outside world as far as the disks are concerned.
struct Machine {
    const Files& files;
    Kernel& kernel;
    CommandRunner& commands;
    Clock& clock;
};

/// Looks at each ephemeral disk (isolated, since a sick one may hang), at LVM where one carries its
/// label, at device-mapper and at the mounts; at the others for a group of our name, where a new
/// one is to be made.
[[nodiscard]] std::expected<Situation, Failure>
survey(const Machine& machine, const Inventory& inventory, const GroupLayout& layout,
       const std::string& instance_id, Deadline deadline);

/// The device-mapper nodes whose name begins as those of `group` do, from sysfs; what is on them is
/// not looked at.
[[nodiscard]] std::expected<std::map<std::string, ActiveVolume>, Failure>
read_active(const Machine& machine, const std::string& group);

[[nodiscard]] std::expected<DiskContent, Failure>
read_content(const Machine& machine, const std::string& node, Deadline deadline);

/// A failed look at an ephemeral disk, as a reason code.
[[nodiscard]] Failure disk_failure(const Error& error);

} // namespace muster::lvm
