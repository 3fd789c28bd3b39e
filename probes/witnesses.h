// What the kernel and the firmware know of what the metadata service says.
#pragma once

#include <string>

#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "probes/metadata.h"

namespace muster::probes {

/// The instance id that Nitro's firmware carries as the board's asset tag (EC2 User Guide,
/// "Identify EC2 instances"); "" where there is none (Xen, other machines).
[[nodiscard]] std::string firmware_instance_id(const Files& files);

/// Identity: the firmware's id is another. Mapping: it names disks that a kernel without NVMe does
/// not have, or does not name one that it has. Both are known to happen for ever, too: eight
/// ephemerals listed with two disks (scylladb issue 2171), and what is attached after the start is
/// not listed. References must outlive the result. Reads sysfs and asks for device nodes only.
[[nodiscard]] Witnesses kernel_witnesses(const Files& files, Kernel& kernel);

} // namespace muster::probes
