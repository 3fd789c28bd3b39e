#include "probes/xen_device.h"

#include <charconv>
#include <cstdint>

namespace muster::probes {
namespace {

/// 0 is "a", 25 "z", 26 "aa"; then the partition, which a whole disk may be called by, too.
std::string letters(unsigned disk, unsigned partition) {
    std::string text;
    for (unsigned rest = disk + 1; rest > 0; rest = (rest - 1) / 26)
        text.insert(text.begin(), static_cast<char>('a' + (rest - 1) % 26));
    return partition == 0 ? text : text + std::to_string(partition);
}

} // namespace

std::string xen_letters(std::string_view nodename) {
    constexpr std::string_view prefix = "device/vbd/";
    if (!nodename.starts_with(prefix)) return "";
    nodename.remove_prefix(prefix.size());
    std::uint32_t number = 0;
    const auto [end, error] =
        std::from_chars(nodename.data(), nodename.data() + nodename.size(), number);
    if (error != std::errc() || end != nodename.data() + nodename.size()) return "";

    constexpr std::uint32_t extended = 1U << 28;
    if (number >> 28 == 1) return letters((number & (extended - 1)) >> 8, number & 255);
    const auto major = number >> 8;
    const auto disk = (number & 255) >> 4;
    const auto partition = number & 15;
    if (major == 202 || major == 8) return letters(disk, partition); // xvd, sd
    if (major >= 65 && major <= 71)
        return letters(16 * (major - 64) + disk, partition); // sdq and on
    return "";
}

} // namespace muster::probes
