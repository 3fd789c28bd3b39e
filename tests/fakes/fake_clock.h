// Time that passes only when someone waits, so a test of minutes takes microseconds.
#pragma once

#include <stdexcept>
#include <vector>

#include "agent/sys/clock.h"

namespace muster {

/// Work that goes on side by side is played one after the other, each from the moment it was
/// started: `start` runs the work at once, then turns the clock back; `wait` goes to the work's
/// end. So a script of answers should look at `now()`, not count its calls, where several jobs ask
/// it.
class FakeClock : public Clock {
  public:
    [[nodiscard]] Instant now() const override { return now_; }

    [[nodiscard]] WallTime wall() const override {
        return wall_start + std::chrono::floor<std::chrono::milliseconds>(now_ - begin);
    }

    void sleep_until(Instant when) override {
        // A loop that waits for a moment that is past would never end here; on a machine it would
        // burn a processor.
        if (++sleeps_ > max_sleeps) {
            throw std::logic_error("FakeClock: this loop does not end");
        }
        if (when > now_) {
            slept.push_back(when - now_);
            now_ = when;
        }
    }

    [[nodiscard]] std::unique_ptr<Job> start(std::string name,
                                             std::function<void()> work) override {
        jobs.push_back(std::move(name));
        const Instant started = now_;
        work();
        auto job = std::make_unique<FakeJob>(now_);
        now_ = started;
        return job;
    }

    void wait(Job& job) override { now_ = std::max(now_, dynamic_cast<FakeJob&>(job).end); }

    void advance(Duration d) { now_ += d; }

    /// Since the test began.
    [[nodiscard]] Duration elapsed() const { return now_ - begin; }

    Instant begin{std::chrono::seconds(1000)};
    WallTime wall_start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} +
                        std::chrono::hours(20)};
    std::vector<Duration> slept;   ///< each wait, in order
    std::vector<std::string> jobs; ///< names, in order
    int max_sleeps = 1'000'000;

  private:
    struct FakeJob : Job {
        explicit FakeJob(Instant e) : end(e) {}
        Instant end;
    };
    Instant now_ = begin;
    int sleeps_ = 0;
};

} // namespace muster
