// The survival curve without the noise of its sample. Pure.
//
// A schedule that is made of the bare curve looks where a few waits happen to lie close together,
// and does worse on the next thousand: at as many calls as doubling makes it waited 13 %
// (deletions) and 36 % (volumes) longer than the best possible; of the smoothed one, see
// docs/tune.md.
#pragma once

#include <vector>

#include "agent/tune/survival.h"

namespace muster::tune {

class Smooth {
  public:
    /// Each wait is spread evenly over as far as its k nearest on its nearer side lie, and as far
    /// on the other (k = n^0.8 / 2, less for the k first and last, and half of it, and half of
    /// that, until it spreads across no gap). So two humps do not run into each other, a hundred
    /// waits of the same length stay where they are, the first one stays the first, and a lone one
    /// far out is spread far.
    explicit Smooth(const Survival& survival);

    /// A corner of the curve, which is made of straight lines.
    struct Corner {
        double at = 0;
        double waiting = 1;
    };
    [[nodiscard]] const std::vector<Corner>& corners() const { return corners_; }

    /// The share that still waits at `seconds`.
    [[nodiscard]] double waiting(double seconds) const;
    /// How long is waited, on average, by who gives up at `until` and sees at once what comes.
    [[nodiscard]] double mean(double until) const;

  private:
    std::vector<Corner> corners_; ///< in order; after two of the same time the second holds
};

} // namespace muster::tune
