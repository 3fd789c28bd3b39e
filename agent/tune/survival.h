// How long a thing is waited for: the share that still waits, by time. Pure.
//
// Kaplan and Meier's estimator (1958): a wait that was given up counts as waiting until then, and
// not at all after, so a deadline of 60 s does not make 60 s look like the end of the curve.
#pragma once

#include <optional>
#include <vector>

#include "agent/tune/collect.h"

namespace muster::tune {

/// A time at which waits ended.
struct Step {
    double at = 0; ///< seconds
    unsigned found = 0;
    unsigned gave_up = 0;
    unsigned at_risk = 0; ///< so many still waited right before it
    double waiting = 1;   ///< the share that still waits right after it, of all
};

class Survival {
  public:
    explicit Survival(const Times& times);

    [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
    [[nodiscard]] unsigned count() const { return found_ + gave_up_; }
    [[nodiscard]] unsigned found() const { return found_; }
    [[nodiscard]] unsigned gave_up() const { return gave_up_; }

    /// The share that still waits at `seconds`.
    [[nodiscard]] double waiting(double seconds) const;

    /// The time by which this share had been found; nothing where it never was seen to be.
    [[nodiscard]] std::optional<double> quantile(double share) const;

    /// Of those that wait, the share that is found each second, between two times.
    [[nodiscard]] double hazard(double from, double to) const;
    /// So many had waited until then, and longer.
    [[nodiscard]] unsigned at_risk(double seconds) const;

  private:
    std::vector<Step> steps_;
    unsigned found_ = 0;
    unsigned gave_up_ = 0;
};

} // namespace muster::tune
