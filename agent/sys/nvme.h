// NVMe admin commands. They can hang for ever: only for a helper of isolate. Private to sys.
#pragma once

#include <cstdint>
#include <string>

#include "agent/sys/result.h"

namespace muster {

/// Identify Controller, 4096 bytes.
[[nodiscard]] Result<std::string> identify_controller(const std::string& node);

/// The first `length` bytes (a multiple of 4, 4096 at most) of a log page.
[[nodiscard]] Result<std::string> read_log_page(const std::string& node, std::uint8_t page,
                                                std::uint32_t length);

} // namespace muster
