// A file of ours, written and read back. It can hang for ever: only for a helper of isolate.
// Private to sys.
#pragma once

#include <optional>
#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/kernel.h"
#include "agent/sys/result.h"

namespace muster {

/// Writes 4 KiB of noise to the file ".muster-probe" in `folder` (made when missing, its parent is
/// not), syncs it, reads it back past the page cache where the filesystem can, and removes it. How
/// long all of that took. `io` where something else came back than was written; `conflict`, and
/// nothing is written, where the folder is not of the filesystem on the device `on`.
[[nodiscard]] Result<Duration> write_and_read_back(const std::string& folder,
                                                   std::optional<DeviceNumber> on);

} // namespace muster
