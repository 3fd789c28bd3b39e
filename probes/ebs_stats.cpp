#include "probes/ebs_stats.h"

#include <cstddef>

namespace muster::probes {
namespace {

constexpr std::uint64_t magic = 0x3c23b510;

/// Little-endian, whatever this machine is.
std::uint64_t number_at(std::string_view page, std::size_t offset, std::size_t length) {
    std::uint64_t number = 0;
    for (std::size_t i = length; i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(page[offset + i]);
    return number;
}

} // namespace

std::optional<EbsStats> parse_ebs_stats(std::string_view page) {
    constexpr std::size_t numbers = 11; // of 8 bytes each, after the magic number and 4 bytes
    if (page.size() < 8 + numbers * 8 || number_at(page, 0, 4) != magic) return std::nullopt;
    const auto number = [&](std::size_t index) { return number_at(page, 8 + index * 8, 8); };
    return EbsStats{.read_ops = number(0),
                    .write_ops = number(1),
                    .volume_exceeded_us = number(6) + number(7),
                    .instance_exceeded_us = number(8) + number(9),
                    .queue_length = number(10)};
}

} // namespace muster::probes
