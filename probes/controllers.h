// The storage controllers of the machine, which the kernel shows before it shows their disks.
#pragma once

#include "agent/sys/files.h"
#include "agent/sys/result.h"

namespace muster::probes {

struct Controllers {
    /// Amazon's NVMe controllers on the PCI bus that no driver has taken yet: of which kind they
    /// are can't be told.
    unsigned untaken = 0;
    unsigned instance_store = 0; ///< NVMe controllers of ephemeral disks, one namespace each
};

/// From sysfs. A machine without PCI or without NVMe has none; what can't be read is an error.
[[nodiscard]] Result<Controllers> read_controllers(const Files& files);

} // namespace muster::probes
