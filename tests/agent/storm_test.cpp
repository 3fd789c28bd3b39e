#include <numeric>

#include "tests/bench/storm.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("storm: a fleet whose endpoint comes up late all gets through, and not in one moment") {
    constexpr unsigned agents = 50; // 2,000 with tests/bench/storm.py
    const auto storm = testing::storm(agents, 3s, 60s);
    const auto sum = [](const std::vector<unsigned>& counts) {
        return std::accumulate(counts.begin(), counts.end(), 0U);
    };
    CHECK(storm.delivered == agents);
    CHECK(sum(storm.answered) == agents); // once each
    CHECK(sum(storm.tries) > 2 * agents);
    CHECK(storm.most_tries < 15);
    // Half of them at most in any half second after it is up.
    for (std::size_t slot = 7; slot < storm.tries.size(); ++slot)
        CHECK(storm.tries[slot] < agents / 2);
}
