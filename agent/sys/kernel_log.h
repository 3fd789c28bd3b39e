// The records of /dev/kmsg. Private to sys.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/result.h"

namespace muster {

/// All that the kernel still has, the newest 20,000 at most.
[[nodiscard]] Result<std::vector<std::string>> read_kernel_log(const std::string& device);

} // namespace muster
