#include <numeric>

#include "tests/agent/fake_sink.h"
#include "tests/bench/storm.h"
#include "tests/catch.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("storm: a fleet whose endpoint comes up late all gets through") {
    constexpr unsigned agents = 50; // 2,000 with tests/bench/storm.py
    const auto storm = testing::storm(agents, 1s, testing::patience, 2 * agents);
    const auto sum = [](const std::vector<unsigned>& counts) {
        return std::accumulate(counts.begin(), counts.end(), 0U);
    };
    CHECK(storm.delivered == agents);
    CHECK(sum(storm.answered) == agents); // once each
    CHECK(sum(storm.tries) > 2 * agents);
    CHECK(storm.most_tries < 15);
}

TEST_CASE("storm: a fleet whose endpoint comes up late does not fall on it in one moment") {
    constexpr unsigned agents = 50;
    constexpr Duration up_after = 3s;
    testing::Histogram tries;
    Duration last{};
    for (unsigned i = 0; i < agents; ++i) {
        const Duration boots = i * 1000ms / agents;
        FakeClock clock;
        FakeSink sink(clock, [&](unsigned) {
            return boots + clock.elapsed() < up_after ? FakeSink::again() : FakeSink::Answer{};
        });
        const std::atomic<bool> never = false;
        const auto delivery = deliver_with_retries(sink, {}, clock, Deadline::in(clock, 60s),
                                                   Schedule(courier_backoff, i), never);
        CHECK(delivery.delivered);
        CHECK(delivery.tries < 15);
        for (const auto at : sink.at)
            tries.add(boots + at);
        last = std::max(last, boots + clock.elapsed());
    }
    // Half of them at most in any half second after it is up.
    const auto counts = tries.counts(last);
    for (std::size_t slot = up_after / testing::Histogram::slot; slot < counts.size(); ++slot)
        CHECK(counts[slot] < agents / 2);
}
