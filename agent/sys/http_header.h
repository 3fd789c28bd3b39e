// One line of an HTTP answer's head, as values. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "agent/sys/http.h"

namespace muster {

/// "Retry-After: 5\r\n" -> {"retry-after", "5"}. Nothing where the line is no header: the status
/// line, the empty one at the end, whatever has no name of one word (RFC 9110, 5.1).
[[nodiscard]] std::optional<HttpHeader> parse_header_line(std::string_view line);

} // namespace muster
