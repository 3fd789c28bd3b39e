#include <set>

#include "agent/sys/schedule.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("schedule: each wait is drawn from zero to a ceiling that doubles up to the cap") {
    const std::vector<Duration> ceilings = {100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s};
    std::vector<Duration> most(ceilings.size());
    std::vector<Duration> least(ceilings.size(), 1h);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        Schedule schedule({.base = 100ms, .cap = 1s}, seed);
        for (std::size_t i = 0; i < ceilings.size(); ++i) {
            const auto wait = schedule.next();
            REQUIRE(wait <= ceilings[i]);
            REQUIRE(wait >= 0ns);
            most[i] = std::max(most[i], wait);
            least[i] = std::min(least[i], wait);
        }
    }
    // Full jitter: the whole range is used, so a fleet is spread over all of it.
    for (std::size_t i = 0; i < ceilings.size(); ++i) {
        INFO(i);
        CHECK(most[i] > ceilings[i] * 95 / 100);
        CHECK(least[i] < ceilings[i] * 5 / 100);
    }
}

TEST_CASE("schedule: a base above the cap is the cap") {
    Schedule schedule({.base = 10s, .cap = 1s}, 1);
    for (int i = 0; i < 100; ++i)
        CHECK(schedule.next() <= 1s);
}

TEST_CASE("schedule: the other side's wish is a floor, and nobody comes back just then") {
    Schedule schedule({.base = 1s, .cap = 8s}, 5);
    std::set<Duration> waits;
    for (int i = 0; i < 100; ++i) {
        const auto wait = schedule.next(30s);
        CHECK(wait >= 30s);
        CHECK(wait <= 38s);
        waits.insert(wait);
    }
    CHECK(waits.size() > 90);
}

TEST_CASE("schedule: anew after a success") {
    Schedule schedule({.base = 10ms, .cap = 1h}, 3);
    for (int i = 0; i < 30; ++i)
        (void)schedule.next();
    schedule.reset();
    CHECK(schedule.next() <= 10ms);
    CHECK(schedule.next() <= 20ms);
}

TEST_CASE("schedule: the same seed gives the same waits, another one others") {
    const auto waits = [](std::uint64_t seed) {
        Schedule schedule({.base = 1s, .cap = 1h}, seed);
        std::vector<Duration> all;
        for (int i = 0; i < 5; ++i)
            all.push_back(schedule.next());
        return all;
    };
    CHECK(waits(7) == waits(7));
    CHECK(waits(7) != waits(8));
}

TEST_CASE("schedule: spacing stays within its bounds and leaves the backoff alone") {
    Schedule schedule({.base = 1ms, .cap = 1h}, 9);
    std::set<Duration> seen;
    for (int i = 0; i < 200; ++i) {
        const auto wait = schedule.between(60ms, 140ms);
        CHECK(wait >= 60ms);
        CHECK(wait <= 140ms);
        seen.insert(wait);
    }
    CHECK(seen.size() > 100);
    CHECK(schedule.next() <= 1ms);
    CHECK(schedule.between(5ms, 1ms) == 5ms); // bounds in the wrong order
}
