// Is the root volume writable, and is there room on it?
#pragma once

#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "agent/sys/share.h"
#include "probes/finding.h"

namespace muster::probes {

struct RootLimits {
    Share min_free{5, {}};
    Share min_free_inodes{5, {}};
    Duration io_deadline = std::chrono::seconds(30);
};

[[nodiscard]] std::vector<Finding> probe_root(const Files& files, Kernel& kernel, Clock& clock,
                                              const RootLimits& limits, Deadline deadline);

} // namespace muster::probes
