// What kernel and volume say of the I/O on a disk: witnesses beside a probe of our own. Evidence
// only, never an answer: a suspended device-mapper device shows nothing in flight while its readers
// hang, and EBS's counters stand still on an idle volume, too.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"

namespace muster::probes {

/// For one question to all of them: a probe that is slow must not be made slower by them.
inline constexpr Duration witness_limit = std::chrono::milliseconds(300);

/// How soon the end of a read or a write is seen by a probe that also waits for other things.
inline constexpr Duration io_look_every = std::chrono::milliseconds(100);

/// Reads and writes in flight and the queue's time limit, from sysfs; for an EBS volume what it
/// counts itself. `name`: the kernel's, of a disk or a partition. What can't be had is left out.
[[nodiscard]] nlohmann::json io_evidence(const Files& files, Kernel& kernel,
                                         const std::string& name, Deadline deadline);

} // namespace muster::probes
