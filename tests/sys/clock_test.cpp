#include <atomic>
#include <cstring>
#include <ctime>
#include <pthread.h>

#include "agent/sys/clock.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("clock: a deadline counts down to zero and no further") {
    FakeClock clock;
    const auto deadline = Deadline::in(clock, 10s);
    CHECK(deadline.left(clock) == 10s);
    CHECK_FALSE(deadline.passed(clock));
    clock.advance(10s);
    CHECK(deadline.left(clock) == 0s);
    CHECK(deadline.passed(clock)); // at the very moment
    clock.advance(1h);
    CHECK(deadline.left(clock) == 0s);
}

TEST_CASE("clock: a stage's deadline never outlasts the one above it") {
    FakeClock clock;
    const auto whole = Deadline::in(clock, 10s);
    CHECK(whole.clipped(clock, 3s).at == clock.now() + 3s);
    CHECK(whole.clipped(clock, 30s).at == whole.at);
    clock.advance(20s);
    CHECK(whole.clipped(clock, 30s).passed(clock));
}

TEST_CASE("clock: stamps of RFC 3339, in UTC, to the millisecond") {
    const auto at = [](std::int64_t ms) {
        return to_rfc3339(WallTime(std::chrono::milliseconds(ms)));
    };
    CHECK(at(0) == "1970-01-01T00:00:00.000Z");
    CHECK(at(1'763'755'262'345) == "2025-11-21T20:01:02.345Z");
    CHECK(at(1'709'164'800'007) == "2024-02-29T00:00:00.007Z"); // a leap day
    CHECK(at(-1) == "1969-12-31T23:59:59.999Z");                // a clock that was never set
}

TEST_CASE("clock: the machine's goes on through a suspend and waits till the moment") {
    const auto clock = make_system_clock();
    const auto kernel = [] {
        timespec boottime{};
        clock_gettime(CLOCK_BOOTTIME, &boottime);
        return std::chrono::seconds(boottime.tv_sec) + std::chrono::nanoseconds(boottime.tv_nsec);
    };
    const auto earlier = kernel();
    const auto start = clock->now();
    CHECK(start.time_since_epoch() >= earlier);
    CHECK(start.time_since_epoch() <= kernel());
    clock->sleep_until(start + 20ms);
    CHECK(clock->now() >= start + 20ms);
    const testing::Limit limit;
    clock->sleep_until(start - 1h); // past
    CHECK(limit.holds("a wait for a moment that is past"));
    const auto wall = [] {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    };
    const auto before = wall();
    const auto told = clock->wall();
    CHECK(told >= before);
    CHECK(told <= wall());
}

TEST_CASE("clock: work goes on beside its starter, in a named thread with a small stack") {
    const auto clock = make_system_clock();
    std::atomic<bool> go = false;
    std::atomic<bool> done = false;
    std::string name(16, '\0');
    std::size_t stack = 0;
    auto job = clock->start("fifteen-letters", [&] {
        pthread_getname_np(pthread_self(), name.data(), name.size());
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstacksize(&attributes, &stack);
        pthread_attr_destroy(&attributes);
        while (!go)
            clock->sleep_until(clock->now() + 1ms);
        done = true;
    });
    CHECK_FALSE(done); // we are here, and it waits for us
    go = true;
    clock->wait(*job);
    CHECK(done);
    clock->wait(*job); // again: nothing
    CHECK(std::string(name.c_str()) == "fifteen-letters");
#ifndef MUSTER_SANITIZED // ThreadSanitizer adds what it needs itself
    CHECK(stack == 256 << 10);
#endif
}

TEST_CASE("clock: a job that nobody waits for is waited for by its end") {
    const auto clock = make_system_clock();
    std::atomic<bool> done = false;
    {
        const auto job = clock->start("orphan", [&] {
            clock->sleep_until(clock->now() + 20ms);
            done = true;
        });
    }
    CHECK(done);
}
