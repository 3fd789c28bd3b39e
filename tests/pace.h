// How slow this machine is just now, and the limits of waiting (pace.py says the same for Python).
// Time is no assertion: a test waits for a condition, and a limit only ends one that hangs.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>

#include "tests/catch.h"

namespace muster::testing {

/// A deadline that no work of a test comes near to, on any machine.
inline constexpr std::chrono::nanoseconds patience = std::chrono::seconds(100);

/// 1 on the reference machine at rest, 3 on a machine that takes three times as long: by a small
/// piece of the work that the tests are made of, programs that are started and something computed.
inline double slowness() {
    constexpr double reference = 0.006; // seconds, on an EPYC of 2025
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) {
        char name[] = "true";
        char* argv[] = {name, nullptr};
        char* environment[] = {nullptr};
        pid_t pid = -1;
        if (::posix_spawn(&pid, "/bin/true", nullptr, nullptr, argv, environment) == 0)
            ::waitpid(pid, nullptr, 0);
    }
    std::uint64_t value = 1;
    for (int i = 0; i < 4'000'000; ++i)
        value = value * 6364136223846793005U + 1442695040888963407U;
    [[maybe_unused]] const volatile auto used = value; // or there would be nothing to compute
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    return std::max(1.0, took.count() / reference);
}

/// Seconds of the reference machine, from now on. What would last for ever, or a hundred times as
/// long, is told by it from what ends by itself.
class Limit {
  public:
    explicit Limit(std::chrono::nanoseconds limit = std::chrono::seconds(60)) : limit_(limit) {}

    /// The machine is measured only where its own seconds would be over.
    [[nodiscard]] bool is_over() const {
        const auto took = std::chrono::steady_clock::now() - began_;
        return took > limit_ && took > limit_ * slowness();
    }
    /// The next assertion tells why not.
    [[nodiscard]] bool holds(std::string_view what) const {
        if (!is_over()) return true;
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
        UNSCOPED_INFO(fmt::format("{}: {:.0f} s; the limit is {:.0f} s of the reference machine, "
                                  "and this machine is {:.1f} times as slow just now",
                                  what, took.count(), std::chrono::duration<double>(limit_).count(),
                                  slowness()));
        return false;
    }

  private:
    std::chrono::nanoseconds limit_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// Asks again every 5 ms until it is true; false, and the next assertion tells `what` was waited
/// for, where it was not true within a limit that only a hang reaches.
template <class F>
bool eventually(std::string_view what, F condition) {
    const Limit limit;
    while (!condition()) {
        if (!limit.holds(what)) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

} // namespace muster::testing
