// What the kernel itself says of the machine's disks: evidence beside our own probes, never gating.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "probes/finding.h"

namespace muster::probes {

/// The kernel's log since boot, the errors that root's filesystem has counted, the pressure on I/O.
/// All of it is in the kernel's memory: nothing here can hang. What there is nothing of is left
/// out.
[[nodiscard]] std::vector<Finding> kernel_evidence(const Files& files, Kernel& kernel);

/// Of /proc/pressure/io (Documentation/accounting/psi.rst): the share of the last minute, in
/// percent, in which some task waited, and in which all of them did.
struct Pressure {
    double some = 0;
    double full = 0;
};
[[nodiscard]] std::optional<Pressure> parse_pressure(std::string_view text);

} // namespace muster::probes
