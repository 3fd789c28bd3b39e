// The numbers of `muster watch` for node-exporter's textfile collector. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "probes/finding.h"

namespace muster {

struct Numbers {
    bool up = true;                        ///< false: the watch was told to stop
    std::vector<probes::Finding> findings; ///< of the last look
    bool degraded = false;
    std::optional<WallTime> last_look; ///< nothing: none has ended yet
    std::uint64_t delivered = 0;       ///< reports, since the start
    std::size_t undelivered = 0;       ///< reports that wait, or were refused, now
    unsigned metadata_requests = 0;    ///< since the start
};

/// The whole file.
[[nodiscard]] std::string metrics_text(const Numbers& numbers);

} // namespace muster
