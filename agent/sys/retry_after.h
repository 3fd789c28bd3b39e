// Times in HTTP headers: dates, and Retry-After (RFC 9110, 5.6.7 and 10.2.3).
#pragma once

#include <optional>
#include <string_view>

#include "agent/sys/clock.h"

namespace muster {

/// Seconds or an HTTP date, at most ten minutes; zero where there is none or it can't be
/// understood. `wall` is the time now.
[[nodiscard]] Duration parse_retry_after(std::string_view value, WallTime wall);

/// RFC 9110's one form that is still sent: "Sun, 06 Nov 1994 08:49:37 GMT". Nothing where it is no
/// such date.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view value);

} // namespace muster
