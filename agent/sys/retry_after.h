// The HTTP header Retry-After (RFC 9110, 10.2.3).
#pragma once

#include <string_view>

#include "agent/sys/clock.h"

namespace muster {

/// Seconds or an HTTP date, at most ten minutes; zero where there is none or it can't be
/// understood. `wall` is the time now.
[[nodiscard]] Duration parse_retry_after(std::string_view value, WallTime wall);

} // namespace muster
