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
    // RFC 9110's one form that is still sent: "Sun, 06 Nov 1994 08:49:37 GMT"
    std::tm parts{};
    const std::string text(value);
    const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (rest == nullptr || *rest != '\0') return Duration::zero();
    // Not in nanoseconds until it is clamped: they end in the year 2262.
    const auto wait = std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts))) - wall;
    return std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds::zero(),
                                                 std::chrono::minutes(10));
}

} // namespace muster
