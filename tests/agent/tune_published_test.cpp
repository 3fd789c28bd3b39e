// The built-in schedule is what the code of `muster tune` makes of the published measurements, so
// neither can change without the other.
#include <algorithm>
#include <fmt/format.h>

#include "agent/tune/advice.h"
#include "probes/attach_polls.h"
#include "tests/bench/published.h"
#include "tests/catch.h"

using namespace muster;
using namespace muster::tune;

namespace {

/// As many waits as were measured, each at its own share of the distribution.
Times as_measured(const published::Fit& fit) {
    Times times;
    const unsigned count = fit.row().count;
    for (unsigned i = 0; i < count; ++i)
        ++times[rounded_up(fit.time_of((i + 0.5) / count))].found;
    return times;
}

std::vector<std::chrono::milliseconds> learned_polls() {
    const auto& row = published::rows()[3];
    REQUIRE(row.name == "attach volume");
    const Survival survival(as_measured(published::Fit(row)));
    const auto moments = moments_of(Smooth(survival), survival.count());
    // Dearer than those of muster tune by default: an event tells of nearly all, so nearly each of
    // these looks is for nothing.
    const Planner planner(moments, 0.1);
    // As long as a whole boot job has by default; an earlier deadline cuts the rest off.
    std::size_t last = 1;
    while (last + 1 < planner.size() && planner.moment(last).at < 300)
        ++last;
    std::vector<std::chrono::milliseconds> polls;
    for (const double look : planner.looks(last)) {
        const double digits = look < 100 ? 0.01 : 1;
        polls.emplace_back(std::llround(std::ceil(look / digits - 1e-6) * digits * 1000));
    }
    return polls;
}

} // namespace

TEST_CASE("tune, published: the fit has the measured count, mean and deviation") {
    for (const auto& row : published::rows()) {
        const published::Fit fit(row);
        std::mt19937_64 random(1);
        double sum = 0;
        double least = 1e9;
        constexpr int draws = 400'000;
        for (int i = 0; i < draws; ++i) {
            const double value = fit.draw(random);
            sum += value;
            least = std::min(least, value);
        }
        INFO(row.name);
        CHECK(sum / draws == Approx(row.mean).epsilon(0.03));
        CHECK(least >= row.least);
        CHECK(fit.waiting(row.least) == Approx(1));
        CHECK(fit.waiting(row.largest.back()) < 1e-3);
        CHECK(fit.waiting(fit.time_of(0.25)) == Approx(0.25));
    }
}

TEST_CASE("tune, published: the built-in schedule is what is learned from the measurements") {
    const auto learned = learned_polls();
    std::string table;
    for (const auto& moment : learned)
        table += fmt::format("{}ms, ", moment.count());
    INFO("probes/attach_polls.h must hold:\n" << table);
    CHECK(std::ranges::equal(learned, probes::attach_polls));
    CHECK(std::ranges::is_sorted(learned));
    CHECK(learned.front() > std::chrono::seconds(8)); // none was ever there before 8.7 s
}
