// One piece of work at a time beside its owner, who never waits for it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "agent/sys/clock.h"

namespace muster {

class Background {
  public:
    explicit Background(Clock& clock) : clock_(clock) {}

    /// Only while it is not busy. The work has its own deadline, and tells nothing of its result to
    /// anybody before `take_end`.
    void start(std::string name, std::function<void()> work);
    /// From `start` until its end was taken.
    [[nodiscard]] bool busy() const { return job_ != nullptr; }
    /// True once for each start: the work has ended, and its thread is gone.
    [[nodiscard]] bool take_end();

  private:
    Clock& clock_;
    std::unique_ptr<Job> job_;
    std::atomic<bool> ended_ = false;
};

} // namespace muster
