// What an EBS volume counts itself: NVMe log page 0xD0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::probes {

inline constexpr std::uint8_t ebs_stats_page = 0xd0;
inline constexpr std::uint32_t ebs_stats_length = 4096;

/// Since the volume was attached. Source: amazon-ec2-utils, `ebsnvme`.
struct EbsStats {
    std::uint64_t read_ops = 0;
    std::uint64_t write_ops = 0;
    /// Microseconds for which more was asked of the volume, or of the instance, than they may do.
    std::uint64_t volume_exceeded_us = 0;
    std::uint64_t instance_exceeded_us = 0;
    std::uint64_t queue_length = 0; ///< operations that wait
};

/// None where it is too short, or does not begin with EBS's magic number (another device's page has
/// the same number: instance store 0xEC2C0D7E).
[[nodiscard]] std::optional<EbsStats> parse_ebs_stats(std::string_view page);

} // namespace muster::probes
