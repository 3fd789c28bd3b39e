#include <atomic>

#include "agent/sys/side_by_side.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("side by side: takes as long as the slowest, and keeps the order") {
    FakeClock clock;
    const std::vector<int> seconds = {1, 20, 3};
    const auto found = side_by_side(clock, "look", seconds, [&](int wait) {
        clock.sleep_until(clock.now() + std::chrono::seconds(wait));
        return wait * 10;
    });
    CHECK(found == std::vector{10, 200, 30});
    CHECK(clock.elapsed() == 20s);
    CHECK(clock.jobs == std::vector<std::string>(3, "look"));
    CHECK(side_by_side(clock, "none", std::vector<int>{}, [](int) { return 1; }).empty());
}

TEST_CASE("side by side: really at once") {
    const auto clock = make_system_clock();
    std::atomic<int> begun = 0;
    // Each waits until all have begun: one after the other none would end before its deadline.
    const auto met = side_by_side(*clock, "meet", std::vector{1, 2, 3, 4}, [&](int) {
        ++begun;
        const auto deadline = Deadline::in(*clock, testing::patience);
        while (begun < 4 && !deadline.passed(*clock))
            clock->sleep_until(clock->now() + 1ms);
        return begun == 4 ? 1 : 0;
    });
    CHECK(met == std::vector{1, 1, 1, 1});
}
