// `muster deliver --test`: whether reports would arrive, without any consequence.
#pragma once

#include <string>

#include "agent/config/config.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"

namespace muster {

struct Rehearsal {
    std::string text; ///< for a person, sink by sink
    bool well = true; ///< each sink did what it was asked
};

/// Sinks that record are sent a report with the outcome "test"; those that act do nothing and tell
/// the requests that they would make and the permissions these need. One try each, within the
/// report's deadline.
[[nodiscard]] Rehearsal rehearse(const Files& files, Clock& clock, const Config& config);

} // namespace muster
