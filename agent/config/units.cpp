#include "agent/config/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace muster {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// Largest first, for formatting.
constexpr std::array kTimes = {Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000},
                               Unit{"s", 1'000'000'000}, Unit{"ms", 1'000'000}};
constexpr std::array kSizes = {Unit{"TiB", 1ULL << 40}, Unit{"GiB", 1ULL << 30},
                               Unit{"MiB", 1ULL << 20}, Unit{"KiB", 1ULL << 10}, Unit{"B", 1}};

struct Amount {
    std::uint64_t value;
    std::string_view unit;
};

std::optional<Amount> split(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) {
        return std::nullopt;
    }
    return Amount{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

template <std::size_t N>
std::optional<std::uint64_t> scaled(std::string_view text, const std::array<Unit, N>& units,
                                    std::uint64_t limit) {
    const auto amount = split(text);
    if (!amount) {
        return std::nullopt;
    }
    const auto unit = std::ranges::find(units, amount->unit, &Unit::name);
    if (unit == units.end() || amount->value > limit / unit->factor) {
        return std::nullopt;
    }
    return amount->value * unit->factor;
}

template <std::size_t N>
std::string formatted(std::uint64_t value, const std::array<Unit, N>& units) {
    const auto exact = [value](const Unit& unit) { return value % unit.factor == 0; };
    const auto found = value == 0 ? units.end() : std::ranges::find_if(units, exact);
    const Unit& unit = found == units.end() ? units.back() : *found;
    return std::to_string(value / unit.factor) + std::string(unit.name);
}

} // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    const auto limit = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
    const auto nanoseconds = scaled(text, kTimes, limit);
    if (!nanoseconds) {
        return std::nullopt;
    }
    return Duration(static_cast<Duration::rep>(*nanoseconds));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return scaled(text, kSizes, std::numeric_limits<std::uint64_t>::max());
}

std::optional<double> parse_percent(std::string_view text) {
    // Digits around at most one dot: from_chars alone would take "inf", "1e1" and "-0" too.
    if (!text.ends_with('%')) {
        return std::nullopt;
    }
    text.remove_suffix(1);
    const auto dots = std::ranges::count(text, '.');
    if (text.empty() || text.find_first_not_of("0123456789.") != text.npos || dots > 1 ||
        text.front() == '.' || text.back() == '.') {
        return std::nullopt;
    }
    double value = 0;
    const auto error = std::from_chars(text.data(), text.data() + text.size(), value).ec;
    if (error != std::errc() || value > 100) {
        return std::nullopt;
    }
    return value;
}

std::optional<unsigned> parse_whole_percent(std::string_view text) {
    const auto amount = split(text);
    if (!amount || amount->unit != "%" || amount->value > 100) {
        return std::nullopt;
    }
    return static_cast<unsigned>(amount->value);
}

std::optional<std::uint32_t> parse_permissions(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    // At least three digits: "7" is more often a slip than a wish.
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (!whole || text.size() < 3 || text.size() > 5 || value > 07777) {
        return std::nullopt;
    }
    return value;
}

std::string format_duration(Duration duration) {
    return formatted(static_cast<std::uint64_t>(std::max<Duration::rep>(0, duration.count())),
                     kTimes);
}

std::string format_size(std::uint64_t bytes) {
    return formatted(bytes, kSizes);
}

} // namespace muster
