// NVMe admin commands. They can hang for ever: only for a helper of isolate. Private to sys.
#pragma once

#include <string>

#include "agent/sys/result.h"

namespace muster {

/// Identify Controller, 4096 bytes.
[[nodiscard]] Result<std::string> identify_controller(const std::string& node);

} // namespace muster
