// When to try again: capped exponential backoff with full jitter.
#pragma once

#include <cstdint>
#include <random>

#include "agent/sys/clock.h"

namespace muster {

/// Backoff between tries. Each wait is drawn evenly from [0, min(cap, base * 2^n)] ("full jitter"):
/// a fleet that boots in the same second must not ask again in the same second.
struct Backoff {
    Duration base;
    Duration cap;
};

/// Gives the waits of one sequence of tries. Pure: it draws numbers and never sleeps.
class Schedule {
  public:
    Schedule(Backoff backoff, std::uint64_t seed);

    /// The wait before the next try. It comes on top of `at_least` (a server's Retry-After), which
    /// a whole fleet may have been told at once.
    [[nodiscard]] Duration next(Duration at_least = Duration::zero());

    /// A wait drawn evenly from [low, high]: the spacing of confirming reads. Leaves the backoff
    /// where it is.
    [[nodiscard]] Duration between(Duration low, Duration high);

    /// Starts the sequence anew, after a success.
    void reset();

  private:
    Backoff backoff_;
    Duration ceiling_;
    std::mt19937_64 random_;
};

} // namespace muster
