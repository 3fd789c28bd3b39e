// Write a file where that may hang for ever: any file outside /run, since its disk may be stuck.
#pragma once

#include <string>
#include <string_view>

#include "agent/sys/clock.h"
#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster {

/// `Files::write` in a helper. `stuck` at the deadline; at most 1 MiB.
[[nodiscard]] Result<void> write_isolated(Isolate& isolate, const std::string& path,
                                          std::string_view content, Deadline deadline);

/// The same for a file that others read, too: it has mode 0644 from the moment it is there.
[[nodiscard]] Result<void> publish_isolated(Isolate& isolate, const std::string& path,
                                            std::string_view content, Deadline deadline);

} // namespace muster
