// Time: a steady clock for waiting, the wall clock only as a stamp, and one Deadline that is handed
// down (design rule: one retry layer, one deadline).
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace muster {

using Duration = std::chrono::nanoseconds;
/// Nanoseconds of CLOCK_BOOTTIME: it counts through a suspend and never jumps.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Seconds as a number, for reports and messages.
[[nodiscard]] inline double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

/// A piece of work that goes on beside its caller; `Clock::wait` ends it.
class Job {
  public:
    virtual ~Job() = default;
};

/// Time, and the waiting for it. Work that goes on side by side is part of it, so that a test's
/// clock can play it in order, at no cost, and still tell how long it would have taken.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
    /// Returns at `when`, at once if that is past.
    virtual void sleep_until(Instant when) = 0;
    /// Starts `work` in a thread called `name` (15 characters at most; 256 KiB of stack, since each
    /// default stack would lock 8 MiB under MCL_FUTURE).
    [[nodiscard]] virtual std::unique_ptr<Job> start(std::string name,
                                                     std::function<void()> work) = 0;
    /// Returns when the job has ended. Whoever starts a job gives its work a deadline.
    virtual void wait(Job& job) = 0;
};

/// The point in time at which a piece of work must have ended, whatever happened.
struct Deadline {
    Instant at;

    [[nodiscard]] static Deadline in(const Clock& clock, Duration d) { return {clock.now() + d}; }
    [[nodiscard]] Duration left(const Clock& clock) const {
        return std::max(Duration::zero(), at - clock.now());
    }
    [[nodiscard]] bool passed(const Clock& clock) const { return clock.now() >= at; }
    /// The earlier of this and `d` from now: a stage's own deadline, clipped by the one above it.
    [[nodiscard]] Deadline clipped(const Clock& clock, Duration d) const {
        return {std::min(at, clock.now() + d)};
    }
};

/// The machine's own clock and threads.
[[nodiscard]] std::unique_ptr<Clock> make_system_clock();

/// "2026-11-21T20:01:02.345Z"
[[nodiscard]] std::string to_rfc3339(WallTime time);

} // namespace muster
