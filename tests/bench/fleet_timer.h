// When systemd starts `muster deliver`, and for how long that tries: packaging/systemd/
// muster-deliver.timer and muster-deliver.service, as systemd reads them.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "agent/sys/clock.h"

namespace muster::fleet {

/// The timer unit's own settings.
struct Timer {
    std::vector<Duration> on_boot;
    std::optional<Duration> on_inactive;
    Duration random_delay{};
    Duration accuracy = std::chrono::minutes(1); // systemd's default
    Duration patience{};                         ///< `muster deliver --for`, of the service

    /// Reads UNIT.timer and the service beside it; throws where it can't, or finds a setting that
    /// is not known here.
    [[nodiscard]] static Timer read(const std::string& path);

    /// The next start after `now`. `booted`: the kernel's start. `ended`: the last run of the
    /// service. `phase`: this boot's own place in a minute (see `placed`).
    [[nodiscard]] std::optional<Instant> next(Instant now, Instant booted,
                                              std::optional<Instant> ended, Duration phase,
                                              std::mt19937_64& random) const;
};

/// Where in [from, from + accuracy] systemd puts a timer (sd-event, sleep_between): so that all
/// timers of a machine go off together, at a place in the minute that each boot draws anew; where
/// that is not in between, in ten seconds, in one, in a quarter.
[[nodiscard]] Instant placed(Instant from, Duration accuracy, Duration phase);

} // namespace muster::fleet
