// Are the EBS volumes that were promised there, the right ones, and alive?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/disk.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "probes/finding.h"
#include "probes/metadata.h"
#include "probes/wait.h"

namespace muster::probes {

struct ExpectedVolume {
    std::string name;                     ///< the owner's name for it, or "ebs1" of the mapping
    std::optional<std::string> device;    ///< "/dev/sdf", "sdf": as it was attached
    std::optional<std::string> volume_id; ///< "vol-0123456789abcdef0"
    std::optional<std::uint64_t> min_size;
    Duration deadline = std::chrono::seconds(100); ///< for it to appear, and to be mounted
    bool write_probe = false; ///< write to its filesystem, too, once it answers reads
    /// When to look though no event told of it, from the beginning of the wait, rising; none: as
    /// was measured (probes/attach_polls.h).
    std::optional<std::vector<Duration>> polls = {};
};

struct VolumeReport {
    Finding finding;
    Wait wait;
};

/// Waits for every volume side by side, each to its own deadline, woken by the kernel's events;
/// reads each that is found at its start, middle and end, past the page cache. `io_deadline`: a
/// volume that has not answered by then is stuck; what kernel and volume say of it is evidence.
/// Those of which it is asked are written to after that: see ebs_write.h.
[[nodiscard]] std::vector<VolumeReport> probe_volumes(const Files& files, Kernel& kernel,
                                                      Clock& clock,
                                                      const std::vector<ExpectedVolume>& expected,
                                                      Duration io_deadline, Deadline deadline,
                                                      const WaitNotice& notice);

/// Every confirmed ebsN of the mapping, as expectations.
[[nodiscard]] std::vector<ExpectedVolume> volumes_of(const Mapping& mapping);

/// The device name that EC2 writes into Identify Controller, bytes 3072 to 3103: "/dev/sdf" or
/// "sdf", padded with spaces or zeros. Empty where there is none (not EC2's controller). `data`:
/// the 4096 bytes of Identify.
[[nodiscard]] std::string parse_vendor_name(std::string_view data);

} // namespace muster::probes
