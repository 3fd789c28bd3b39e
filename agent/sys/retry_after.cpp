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
    if (error == std::errc() && end == value.data() + value.size()) {
        return std::min<Duration>(most, std::chrono::seconds(number));
    }
    // RFC 9110's one form that is still sent: "Sun, 06 Nov 1994 08:49:37 GMT"
    std::tm parts{};
    if (strptime(std::string(value).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) {
        return Duration::zero();
    }
    const Duration wait = std::chrono::system_clock::from_time_t(timegm(&parts)) - wall;
    return std::clamp<Duration>(wait, Duration::zero(), most);
}

} // namespace muster
