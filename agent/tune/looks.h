// When to look for a thing whose arrival nobody announces. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "agent/tune/smooth.h"

namespace muster::tune {

/// What is traded against each other, all in seconds of waiting.
struct Costs {
    double look = 0.01;     ///< one look
    double recreation = 60; ///< a new machine, up to where this one began to wait
};

/// What a schedule comes to, on average.
struct Figures {
    double seconds = 0; ///< until it is found, or given up
    double looks = 0;
    double lost = 0; ///< the share that is given up

    /// Until one is there: what is lost is recreated, and waits from the beginning.
    [[nodiscard]] double ready(double recreation) const;
};

/// The share that still waits at a time (seconds).
using Curve = std::function<double(double)>;

/// `looks`: moments from the beginning, in order; at the last one it is given up.
[[nodiscard]] Figures figures_of(const Curve& waiting, const std::vector<double>& looks);

/// A moment at which one may look.
struct Moment {
    double at = 0;
    double waiting = 1; ///< the share that waits on after a look then
};

/// The moments worth considering. The curve is made of `count` waits, so one of `count` + 1 may
/// never come, whatever was seen; after ten times the longest wait (or a minute after it)
/// nothing is known at all.
[[nodiscard]] std::vector<Moment> moments_of(const Smooth& curve, unsigned count);

/// The schedules that cost the least, for each moment as the deadline.
///
/// Who looks at `a` and then at `b` waits from one to the other if it has not come by `a`. So the
/// cost up to a look is that up to the look before it, plus waiting(a) * (b - a + cost of a look):
/// a shortest way through the moments. Each moment's cost is the lowest of the lines, one for each
/// moment before it, with slope waiting(a); slopes fall, so one walk along the lower hull finds
/// all.
class Planner {
  public:
    /// `moments`: in order, the first {0, 1}.
    Planner(std::vector<Moment> moments, double cost_of_look);

    [[nodiscard]] std::size_t size() const { return moments_.size(); }
    [[nodiscard]] const Moment& moment(std::size_t i) const { return moments_[i]; }
    /// Waiting and looks on average, in seconds, when it is given up at moment `i` > 0.
    [[nodiscard]] double cost(std::size_t i) const { return cost_[i]; }
    /// The looks that come to it, the last one at moment `i`.
    [[nodiscard]] std::vector<double> looks(std::size_t i) const;
    /// Until one is there, with giving up at moment `i` and a new machine for each that is lost:
    /// one round, plus another for the share that is lost, and so on.
    [[nodiscard]] double cost_until_ready(std::size_t i, double recreation) const;

  private:
    std::vector<Moment> moments_;
    std::vector<double> cost_;
    std::vector<std::size_t> before_; ///< the look before
};

} // namespace muster::tune
