// What the kernel's log says of sick disks and filesystems.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::probes {

/// One record of /dev/kmsg: "6,339,5140900,-;text".
struct KernelRecord {
    unsigned level = 0; ///< 0 emergency ... 7 debug
    double seconds = 0; ///< since boot
    std::string text;   ///< its first line, escapes left as they are
};

/// None where it is no such record, or no message of the kernel's own (anybody who is root may
/// write there).
[[nodiscard]] std::optional<KernelRecord> parse_kernel_record(std::string_view record);

struct KernelTrouble {
    std::string what; ///< "an I/O error", for a person
    unsigned count = 0;
    double first = 0; ///< seconds since boot
    double last = 0;
    std::string sample; ///< the first of them, 200 bytes at most
};

/// What is known to go with sick volumes, each kind once, in the order of the table in the source.
[[nodiscard]] std::vector<KernelTrouble> find_trouble(const std::vector<std::string>& records);

} // namespace muster::probes
