#include <cmath>
#include <fmt/format.h>
#include <random>

#include "agent/tune/advice.h"
#include "tests/catch.h"

using namespace muster;
using namespace muster::tune;
using nlohmann::json;

namespace {

json report(const std::string& boot, const std::vector<json>& waits,
            const char* outcome = "ready") {
    return {{"schema", "muster.report/1"},
            {"outcome", outcome},
            {"boot_id", boot},
            {"instance", {{"id", "i-1"}}},
            {"waits", waits}};
}

json wait(const char* what, double seconds, const char* outcome = "found") {
    return {{"for", what}, {"seconds", seconds}, {"polls", 3}, {"outcome", outcome}};
}

Times times_of(const std::vector<double>& found, const std::vector<double>& gave_up = {}) {
    Times times;
    for (const double seconds : found)
        ++times[rounded_up(seconds)].found;
    for (const double seconds : gave_up)
        ++times[rounded_up(seconds)].gave_up;
    return times;
}

/// Waits drawn from a distribution, the same ones each time.
template <class Distribution>
Times drawn(unsigned count, double least, Distribution distribution) {
    std::mt19937_64 random(5);
    std::vector<double> found;
    for (unsigned i = 0; i < count; ++i)
        found.push_back(least + distribution(random));
    return times_of(found);
}

/// The cheapest of all schedules over these moments, by trying each one.
double by_trying(const std::vector<Moment>& moments, std::size_t end, double look) {
    double least = 1e300;
    for (unsigned chosen = 0; chosen < (1U << (end - 1)); ++chosen) {
        double cost = 0;
        std::size_t before = 0;
        for (std::size_t i = 1; i <= end; ++i) {
            if (i < end && (chosen >> (i - 1) & 1) == 0) continue;
            cost += moments[before].waiting * (moments[i].at - moments[before].at + look);
            before = i;
        }
        least = std::min(least, cost);
    }
    return least;
}

} // namespace

TEST_CASE("tune: a time keeps four digits and is rounded up") {
    CHECK(rounded_up(0) == 0);
    CHECK(rounded_up(0.0004) == 1);
    CHECK(rounded_up(8.684) == 8684); // what is said in milliseconds stays
    CHECK(rounded_up(8.6841) == 8685);
    CHECK(rounded_up(9.9991) == 10'000);
    CHECK(rounded_up(12.344) == 12'350);
    CHECK(rounded_up(123.41) == 123'500);
    CHECK(rounded_up(172'800) == 172'800'000);
}

TEST_CASE("tune: what is a report, and what of it counts") {
    Collector collector(false);
    const auto take = [&](const std::string& text) { collector.line("r:1", text); };
    take(report("b1", {wait("metadata", 0.5), wait("ebs data", 12.5)}).dump());
    take(report("b2", {wait("ebs data", 100, "gave up")}, "failed").dump() + "\r");
    take("");
    take("  ");
    const auto& collected = collector.collected();
    CHECK(collected.reports == 2);
    CHECK(collected.bad == 0);
    CHECK(collected.waits.at("metadata").at(500).found == 1);
    CHECK(collected.waits.at("ebs data").at(12'500).found == 1);
    CHECK(collected.waits.at("ebs data").at(100'000).gave_up == 1);

    SECTION("a boot counts once") {
        take(report("b1", {wait("ebs data", 0)}).dump());
        auto other = report("b1", {wait("ebs data", 1)});
        other["instance"]["id"] = "i-2";
        take(other.dump());
        CHECK(collected.again == 1);
        CHECK(collected.reports == 3);
        CHECK_FALSE(collected.waits.at("ebs data").contains(0));
    }
    SECTION("messages that are no verdict") {
        auto announcement = report("b3", {}, "in-progress");
        announcement.erase("waits");
        take(announcement.dump());
        take(report("b3", {wait("ebs data", 1)}, "notice").dump());
        CHECK(collected.without == 2);
        CHECK(collected.reports == 2);
    }
    SECTION("lines that are no report") {
        auto negative = report("b4", {wait("ebs data", 1), wait("ebs data", -1)});
        auto odd = report("b5", {wait("ebs data", 1, "lost")});
        auto text = report("b6", {wait("ebs data", 1)});
        text["waits"][0]["seconds"] = "1";
        auto nameless = report("b7", {wait("", 1)});
        auto acting = report("b11", {wait("ebs \x1b[2J", 1)});
        auto endless = report("b8", {wait("ebs data", 1e9)});
        auto strange = report("b9", {wait("ebs data", 1)});
        strange["schema"] = "other/1";
        auto waits = report("b10", {});
        waits["waits"] = 7;
        for (const auto& line : {negative, odd, text, nameless, acting, endless, strange, waits})
            take(line.dump());
        take("{");
        take("[]");
        take("{}");
        take(std::string("\xff\0x", 3));
        CHECK(collected.bad == 12);
        CHECK(collected.reports == 2);
        CHECK(collected.first_bad.starts_with("r:1: "));
        CHECK(collected.waits.at("ebs data").size() == 2); // none of a line's waits, if one is bad
    }
    SECTION("by kind") {
        Collector by_kind(true);
        by_kind.line(
            "r:1",
            report("b1", {wait("ebs a", 1), wait("ebs b", 2), wait("ephemeral disks", 3)}).dump());
        CHECK(by_kind.collected().waits.size() == 2);
        CHECK(by_kind.collected().waits.at("ebs").size() == 2);
    }
    SECTION("names are bounded") {
        for (std::size_t i = 0; i < most_names + 10; ++i) {
            const auto name = fmt::format("ebs v{}", i);
            take(report("n" + std::to_string(i), {wait(name.c_str(), 1)}).dump());
        }
        CHECK(collected.waits.size() == most_names);
        CHECK(collected.left_out == 12); // two names were there before
    }
}

TEST_CASE("tune: the survival curve is Kaplan and Meier's") {
    // The estimator's own example is of this kind: 1 and 4 found, 2 given up, 3 found, 5 given up.
    const Survival survival(times_of({1, 3, 4}, {2, 5}));
    REQUIRE(survival.steps().size() == 5);
    CHECK(survival.count() == 5);
    CHECK(survival.waiting(0.999) == 1);
    CHECK(survival.waiting(1) == Approx(0.8));
    CHECK(survival.waiting(2) == Approx(0.8));
    CHECK(survival.waiting(3) == Approx(0.8 * 2 / 3));
    CHECK(survival.waiting(4) == Approx(0.8 / 3));
    CHECK(survival.waiting(100) == Approx(0.8 / 3));
    CHECK(survival.quantile(0) == 1);
    CHECK(survival.quantile(0.2) == 1);
    CHECK(survival.quantile(0.5) == 4);
    CHECK_FALSE(survival.quantile(0.9)); // nobody saw it
    CHECK(survival.at_risk(1) == 4);
    CHECK(survival.at_risk(5) == 0);
    // Whoever gave up at the very time at which another was found had waited through it.
    CHECK(Survival(times_of({2}, {2})).waiting(2) == Approx(0.5));
}

TEST_CASE("tune: the hazard is what is found by the time that was waited") {
    // Constant for an exponential distribution, however much of it is cut off.
    auto times = drawn(20'000, 0, std::exponential_distribution<double>(0.25));
    Times cut;
    for (const auto& [at, ends] : times) {
        auto& kept = cut[std::min<std::uint32_t>(at, 8000)];
        (at <= 8000 ? kept.found : kept.gave_up) += ends.found;
    }
    const Survival survival(cut);
    CHECK(survival.gave_up() > 2000);
    for (const double from : {0.0, 1.0, 2.0, 4.0, 6.0})
        CHECK(survival.hazard(from, from + 2) == Approx(0.25).epsilon(0.06));
    CHECK(survival.waiting(8) == Approx(std::exp(-2)).epsilon(0.05));
    CHECK(survival.hazard(8, 9) == 0);
}

TEST_CASE("tune: the smoothed curve keeps humps, lumps, the first and the last") {
    std::mt19937_64 random(3);
    std::normal_distribution<double> near(10, 1);
    std::normal_distribution<double> far(60, 2);
    std::vector<double> found;
    for (int i = 0; i < 900; ++i)
        found.push_back(near(random));
    for (int i = 0; i < 100; ++i)
        found.push_back(far(random));
    found.insert(found.end(), 500, 30.0);
    const Survival survival(times_of(found, std::vector<double>(50, 100)));
    const Smooth smooth(survival);
    double worst = 0;
    for (double at = 0; at < 120; at += 0.01)
        worst = std::max(worst, std::abs(smooth.waiting(at) - survival.waiting(at)));
    CHECK(worst < 0.06);
    CHECK(smooth.waiting(survival.quantile(0).value_or(0) - 0.01) == 1);
    CHECK(smooth.waiting(200) == Approx(survival.waiting(200)));
    // Between the humps nothing is made up, and the lump is where it was.
    CHECK(smooth.waiting(18) - smooth.waiting(29.99) < 0.005);
    CHECK(smooth.waiting(29.99) - smooth.waiting(30) == Approx(500.0 / 1550).epsilon(0.05));
    CHECK(smooth.waiting(33) - smooth.waiting(50) < 0.005);
    double before = 1;
    for (const auto& corner : smooth.corners()) {
        CHECK(corner.waiting <= before + 1e-12);
        before = corner.waiting;
    }
    double area = 0;
    for (double at = 0; at < 70; at += 0.001)
        area += smooth.waiting(at + 0.0005) * 0.001;
    CHECK(smooth.mean(70) == Approx(area).epsilon(1e-4));
}

TEST_CASE("tune: what is smoothed spreads across no gap") {
    // Of the few in the second hump the first have all the others on one side, and those at the
    // end of the first hump theirs on the other.
    std::vector<double> found;
    for (int i = 0; i < 900; ++i)
        found.push_back(4 + i / 450.0);
    for (int i = 0; i < 100; ++i)
        found.push_back(55 + i / 10.0);
    const Survival survival(times_of(found, {}));
    const Smooth smooth(survival);
    CHECK(smooth.waiting(7) == Approx(0.1));
    CHECK(smooth.waiting(7) - smooth.waiting(48.5) < 1e-9);
    CHECK(smooth.waiting(5) == Approx(0.55).epsilon(0.01));
    CHECK(smooth.waiting(60) == Approx(0.05).margin(0.006));
}

TEST_CASE("tune: no schedule is cheaper than the planner's") {
    std::mt19937_64 random(11);
    std::uniform_real_distribution<double> even(0, 1);
    for (int round = 0; round < 50; ++round) {
        std::vector<Moment> moments = {{}};
        for (int i = 0; i < 12; ++i) {
            const auto& last = moments.back();
            // Some moments at which nothing comes, and one at the very beginning.
            const double falls = even(random) < 0.3 ? 1 : even(random);
            moments.push_back({last.at + (i == 0 && round % 2 == 0 ? 0 : 3 * even(random)),
                               last.waiting * falls});
        }
        const double look = even(random);
        const Planner planner(moments, look);
        for (const std::size_t end : {1UL, 5UL, 12UL}) {
            CHECK(planner.cost(end) == Approx(by_trying(moments, end, look)));
            const auto looks = planner.looks(end);
            CHECK(looks.back() == moments[end].at);
        }
    }
}

TEST_CASE("tune: what a schedule comes to") {
    const auto waiting = [](double at) { return std::max(0.0, 1 - at / 10); }; // evenly in 10 s
    const auto figures = figures_of(waiting, {5, 10});
    CHECK(figures.seconds == Approx(7.5));
    CHECK(figures.looks == Approx(1.5));
    CHECK(figures.lost == Approx(0));
    const auto cut = figures_of(waiting, {5});
    CHECK(cut.lost == Approx(0.5));
    CHECK(cut.ready(20) == Approx((5 + 0.5 * 20) / 0.5));
    CHECK(std::isinf(figures_of([](double) { return 1.0; }, {5}).ready(1)));
}

TEST_CASE("tune: too little data is refused, with what is wanted") {
    const std::lognormal_distribution<double> body(1, 0.5);
    CHECK(advise("x", drawn(wanted_waits, 0, body), {}).refusal.empty());
    const auto refused = advise("x", drawn(wanted_waits - 1, 0, body), {});
    CHECK(refused.refusal.find("298") != std::string::npos);
    CHECK(refused.refusal.find("299") != std::string::npos);
    CHECK(refused.looks.empty());
    // Given up ones say nothing of when to look.
    CHECK_FALSE(advise("never", times_of({}, std::vector<double>(5000, 60)), {}).refusal.empty());
    // The number is the smallest with which nobody above the deadline means at most 1 in 100.
    CHECK(std::pow(0.99, wanted_waits) < 0.05);
    CHECK(std::pow(0.99, wanted_waits - 1) > 0.05);
}

TEST_CASE("tune: a thing that comes at one time is looked for then") {
    const auto advice = advise("x", times_of(std::vector<double>(1000, 5)), {.look = 0.1});
    REQUIRE(advice.refusal.empty());
    REQUIRE(advice.looks.size() == 1);
    CHECK(advice.looks.front() == Approx(5));
    CHECK(advice.figures.seconds == Approx(5));
    CHECK(advice.unavoidable == Approx(5));
    // One in 1,001 may take longer than all that was seen; a tenth of a recreation is for that.
    CHECK(advice.deadline > 5);
    CHECK(advice.deadline <= 12);
}

TEST_CASE("tune: a heavy tail is given up, a hump that comes later is waited for") {
    std::mt19937_64 random(2);
    std::normal_distribution<double> soon(10, 1);
    std::vector<double> found;
    for (int i = 0; i < 970; ++i)
        found.push_back(soon(random));
    SECTION("thirty take ten minutes") {
        found.insert(found.end(), 30, 600);
        const auto advice = advise("x", times_of(found), {.look = 0.1, .recreation = 60});
        CHECK(advice.deadline >= 12);
        CHECK(advice.deadline <= 25);
        CHECK(advice.figures.lost == Approx(0.03).epsilon(0.1));
        CHECK(advice.figures.ready(60) < advice.each_second.ready(60));
    }
    SECTION("thirty take forty seconds, less than a new machine") {
        found.insert(found.end(), 30, 40);
        CHECK(advise("x", times_of(found), {.look = 0.1, .recreation = 60}).deadline >= 40);
        // ... but not less than a cheap one.
        CHECK(advise("x", times_of(found), {.look = 0.1, .recreation = 5}).deadline < 20);
    }
    SECTION("thirty were never seen to come") {
        const auto advice = advise("x", times_of(found, std::vector<double>(30, 100)), {});
        CHECK(advice.deadline < 30);
        CHECK_FALSE(advice.longer_unseen);
    }
    SECTION("given up so early that nobody knows") {
        for (auto& value : found)
            value = std::min(value, 20.0);
        const auto advice = advise("x", times_of(found, std::vector<double>(970, 13.9)),
                                   {.look = 0.1, .recreation = 60});
        CHECK(advice.longer_unseen);
    }
}

TEST_CASE("tune: the dearer a look, the fewer; never more than a configuration takes") {
    const auto times = drawn(3000, 8, std::lognormal_distribution<double>(1, 0.8));
    std::size_t before = most_looks + 1;
    for (const double look : {0.0, 0.0001, 0.01, 0.1, 1.0, 10.0}) {
        const auto advice = advise("x", times, {.look = look, .recreation = 60});
        CHECK(advice.looks.size() <= before);
        CHECK(advice.looks.size() <= most_looks);
        CHECK(std::ranges::is_sorted(advice.looks));
        before = advice.looks.size();
        for (const double at : advice.looks) {
            CHECK(at < advice.deadline);
            CHECK(std::abs(at * 1000 - std::round(at * 1000)) < 1e-6);
        }
    }
    CHECK(before <= 8);
}

TEST_CASE("tune: what is there at the first look needs no schedule") {
    const auto advice = advise("x", times_of(std::vector<double>(500, 0.0)), {});
    REQUIRE(advice.refusal.empty());
    CHECK(advice.looks.empty());
    CHECK(advice.deadline >= 1);
    CHECK(advice.figures.lost < 0.01);
}
