// The amounts an owner writes: "100s", "256KiB", "5%", "1777". Pure, bounded, and nothing but the
// whole text is ever accepted: "5 m", "1e3s" and "10GB" are mistakes, not guesses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/sys/clock.h"

namespace muster {

/// "250ms", "100s", "5m", "1h". Nothing where it is something else or does not fit.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// "512B", "256KiB", "10MiB", "100GiB", "1TiB": powers of 1024 only, since "GB" means two things.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// "5%", "2.5%": 0 to 100.
[[nodiscard]] std::optional<double> parse_percent(std::string_view text);

/// "100%": whole, 0 to 100.
[[nodiscard]] std::optional<unsigned> parse_whole_percent(std::string_view text);

/// The permissions of a folder as chmod(1) takes them: "1777", "0755", "700".
[[nodiscard]] std::optional<std::uint32_t> parse_permissions(std::string_view text);

/// Back to text, in the largest unit that is exact: "48h", "256KiB".
[[nodiscard]] std::string format_duration(Duration duration);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

} // namespace muster
