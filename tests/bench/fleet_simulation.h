// A fleet that reports, instance by instance, in one process and in no time at all.
//
// Real: what the courier decides between two tries (`next_try`, with its own constants and a
// Schedule for each instance), report.deadline, and the timer that sends what is left. Simulated:
// the clock, the endpoint, the boot before the verdict.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/fleet_endpoint.h"
#include "tests/bench/fleet_timer.h"

namespace muster::fleet {

/// How an instance waits between tries.
struct Settings {
    std::string name;
    /// The wait after the n-th try, from 1, for ever. None: as muster does it.
    std::function<Duration(unsigned tries)> naive;
    Timer timer; ///< of muster's
};

struct Scenario {
    std::string name;
    Conduct conduct; ///< its capacity is a share of the fleet: 0.01 takes all of it in 100 s
    /// From muster's start to the verdict, drawn evenly.
    Duration verdict_least = std::chrono::seconds(1);
    Duration verdict_most = std::chrono::seconds(3);
    bool outage = true; ///< there is a moment at which the endpoint is there again: the target's
};

struct Outcome {
    unsigned instances = 0;
    double capacity = 0;           ///< a second
    double from = 0;               ///< seconds: when the endpoint is there and verdicts are, too
    std::vector<unsigned> arrived; ///< requests in each second, `in-progress` among them
    std::vector<double> delivered; ///< seconds; sorted
    std::uint64_t tries = 0;       ///< of both messages
    unsigned most_tries = 0;       ///< of one instance

    [[nodiscard]] double ideal() const { return instances / capacity; }
    /// Until that share of the verdicts is delivered, since `from`.
    [[nodiscard]] double took(double share) const;
    /// The most requests a second, as the mean of `window` seconds, from second `since` on.
    [[nodiscard]] double peak(double since, unsigned window) const;
};

[[nodiscard]] Outcome simulate(const Scenario& scenario, const Settings& settings,
                               unsigned instances, std::uint64_t seed);

} // namespace muster::fleet
