#include "agent/sys/retry_after.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace muster {

Duration parse_retry_after(std::string_view value, WallTime wall) {
    constexpr Duration most = std::chrono::minutes(10);
    unsigned number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (!value.empty() && end == value.data() + value.size()) {
        // More than the number can hold is very long, not "at once".
        return error == std::errc() ? std::min<Duration>(most, std::chrono::seconds(number)) : most;
    }
    const auto date = parse_http_date(value);
    if (!date) return Duration::zero();
    // Not in nanoseconds until it is clamped: they end in the year 2262.
    const auto wait = *date - wall;
    return std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds::zero(),
                                                 std::chrono::minutes(10));
}

std::optional<WallTime> parse_http_date(std::string_view value) {
    std::tm parts{};
    const std::string text(value);
    const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (rest == nullptr || *rest != '\0') return std::nullopt;
    return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

} // namespace muster
