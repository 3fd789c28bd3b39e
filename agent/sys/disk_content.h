// What is on a disk: signatures, zeros, and what a command that was cut short has left. Private to
// sys; in a helper, since each reads from the disk and may hang.
#pragma once

#include <string>

#include "agent/sys/kernel.h"

namespace muster {

/// As `Kernel::content`.
[[nodiscard]] Result<DiskContent> read_disk_content(const std::string& node);

/// As `Kernel::volume_group`.
[[nodiscard]] Result<std::string> read_volume_group(const std::string& node);

} // namespace muster
