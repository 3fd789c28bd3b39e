#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "agent/sys/schedule.h"
#include "probes/confirmation.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/seeds.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

constexpr Instant start{1000s};

} // namespace

TEST_CASE("confirmation: N equal readings in a row") {
    Confirmation<std::string> value(Need{3, 3, 5s});
    CHECK_FALSE(value.confirmed());
    value.add("a", start);
    value.add("a", start + 1s);
    CHECK_FALSE(value.confirmed());
    value.add("a", start + 2s);
    CHECK(value.confirmed());
    CHECK(value.value() == "a");
    CHECK(value.readings() == 3);
    CHECK(value.disagreements() == 0);
    CHECK(value.first() == start);
    CHECK(value.last() == start + 2s);
}

TEST_CASE("confirmation: a change starts the count anew, and is counted") {
    Confirmation<std::string> value(Need{3, 3, 5s});
    for (const char* reading : {"a", "a", "b", "b", "a", "a"})
        value.add(reading, start);
    CHECK_FALSE(value.confirmed());
    CHECK(value.in_a_row() == 2);
    CHECK(value.disagreements() == 2);
    CHECK(value.seen() == std::vector<std::string>{"a", "b"});
    CHECK(value.doubtful());
    value.add("a", start + 1s);
    CHECK_FALSE(value.confirmed()); // one of the two was a lie: it must last
    value.add("a", start + 5s);
    CHECK(value.confirmed());
    CHECK(value.value() == "a");
}

TEST_CASE("confirmation: what the kernel contradicts must last, as long as it does") {
    Confirmation<std::string> value(Need{3, 3, 5s});
    for (int i = 0; i < 4; ++i)
        value.add("a", start + i * 1s, true);
    CHECK(value.doubtful());
    CHECK_FALSE(value.confirmed());
    SECTION("the kernel was only late") {
        value.add("a", start + 4s, false);
        CHECK(value.confirmed());
    }
    SECTION("for ever: then so be it") {
        value.add("a", start + 5s, true);
        CHECK(value.confirmed());
        CHECK(value.contradicted());
    }
}

TEST_CASE("confirmation: what is known is sticky") {
    Confirmation<std::string> value(Need{3, 3, 5s}, "a");
    CHECK_FALSE(value.confirmed()); // not before it was looked at
    SECTION("said again: once is enough") {
        value.add("a", start);
        CHECK(value.confirmed());
        CHECK(value.seen().size() == 1);
    }
    SECTION("another value must last") {
        for (int i = 0; i < 5; ++i)
            value.add("b", start + i * 1s);
        CHECK_FALSE(value.confirmed());
        SECTION("and does") {
            value.add("b", start + 5s);
            CHECK(value.confirmed());
            CHECK(value.value() == "b");
            CHECK(value.seen() == std::vector<std::string>{"a", "b"});
        }
        SECTION("and goes away") {
            value.add("a", start + 5s);
            CHECK(value.confirmed());
            CHECK(value.value() == "a");
        }
    }
}

TEST_CASE("confirmation: a live value is believed at once, its absence is not") {
    Confirmation<std::string> value(Need{1, 3, 5s});
    SECTION("there") {
        value.add("a", start);
        CHECK(value.confirmed());
    }
    SECTION("not there") {
        value.add(std::nullopt, start);
        value.add(std::nullopt, start + 5s);
        CHECK_FALSE(value.confirmed());
        value.add(std::nullopt, start + 6s);
        CHECK(value.confirmed());
        CHECK(value.value() == std::nullopt);
    }
}

TEST_CASE("confirmation: an empty answer starts the count anew") {
    Confirmation<std::string> value(Need{3, 3, 5s});
    value.add("a", start);
    value.add("a", start);
    value.add_empty();
    value.add("a", start);
    value.add("a", start);
    CHECK_FALSE(value.confirmed());
    CHECK(value.disagreements() == 0);
    value.add("a", start);
    CHECK(value.confirmed());
    CHECK(value.readings() == 5); // an empty answer is no reading

    SECTION("but a change is one also across it") {
        value.add_empty();
        value.add("b", start);
        CHECK(value.disagreements() == 1);
    }
}

TEST_CASE("confirmation: absence needs the span as well") {
    Confirmation<std::string> value(Need{3, 3, 5s});
    for (int i = 0; i < 5; ++i)
        value.add(std::nullopt, start + i * 1s);
    CHECK(value.doubtful());
    CHECK_FALSE(value.confirmed()); // held for 4 s only
    SECTION("it lasts") {
        value.add(std::nullopt, start + 5s);
        CHECK(value.confirmed());
        CHECK(value.value() == std::nullopt);
    }
    SECTION("a value comes: the false 404 has cost nothing but time") {
        value.add("a", start + 5s);
        CHECK_FALSE(value.doubtful());
        value.add("a", start + 5s);
        value.add("a", start + 5s);
        CHECK(value.confirmed());
        CHECK(value.value() == "a");
        CHECK(value.disagreements() == 1);
    }
    SECTION("an empty answer starts the span anew") {
        value.add_empty();
        for (int i = 0; i < 5; ++i)
            value.add(std::nullopt, start + 6s + i * 1s);
        CHECK_FALSE(value.confirmed());
        value.add(std::nullopt, start + 11s);
        CHECK(value.confirmed());
    }
    SECTION("two readings far apart are not N") {
        Confirmation<std::string> few(Need{3, 3, 5s});
        few.add(std::nullopt, start);
        few.add(std::nullopt, start + 60s);
        CHECK_FALSE(few.confirmed());
    }
}

TEST_CASE("confirmation: against a service that lies at random") {
    // Each reading independently wrong with probability p: half of the lies empty, the others one
    // of two wrong values or "there is none".
    const auto [first, runs] = testing::seeds(2'000, 20'000);
    for (const double p : {0.1, 0.3, 0.5}) {
        unsigned single_wrong = 0;
        unsigned confirmed_wrong = 0;
        unsigned unfinished = 0;
        double time = 0;
        for (std::uint64_t seed = first; seed < first + runs; ++seed) {
            FakeClock clock;
            std::mt19937_64 random(seed);
            Schedule schedule({200ms, 5s}, seed);
            Confirmation<int> value(Need{3, 3, 5s});
            std::vector<std::optional<int>> answers; // -1 stands for an empty one
            std::vector<Instant> times;
            while (!value.confirmed() && clock.elapsed() < 150s) {
                std::optional<int> answer = 0;
                if (std::bernoulli_distribution(p)(random)) {
                    const auto kind = std::uniform_int_distribution<int>(0, 5)(random);
                    answer = kind < 3 ? -1 : kind - 2;
                    if (kind == 5) answer = std::nullopt;
                }
                answers.push_back(answer);
                times.push_back(clock.now());
                if (answer == -1) {
                    value.add_empty();
                } else {
                    value.add(answer, clock.now());
                }
                clock.sleep_until(clock.now() + schedule.between(60ms, 140ms));
            }
            single_wrong += answers.front() != 0;
            if (!value.confirmed()) {
                ++unfinished;
                continue;
            }
            time += seconds(clock.elapsed());
            confirmed_wrong += value.value() != 0;
            // What must hold whatever the luck: it was read 3 times in a row, nothing in between.
            INFO("seed " << seed << ", p " << p);
            REQUIRE(answers.size() >= 3);
            for (std::size_t back = 1; back <= 3; ++back)
                REQUIRE(answers[answers.size() - back] == value.value());
            if (!value.value()) {
                auto begin = answers.size() - 1;
                while (begin > 0 && answers[begin - 1] == std::nullopt)
                    --begin;
                REQUIRE(times.back() - times[begin] >= 5s);
            }
        }
        WARN("p = " << p << ": of " << runs << " runs a single reading was wrong or empty in "
                    << single_wrong << ", 3 in a row were wrong in " << confirmed_wrong
                    << ", without an answer after 150 s " << unfinished << "; mean time "
                    << time / static_cast<double>(std::max<std::uint64_t>(1, runs - unfinished))
                    << " s");
    }
}
