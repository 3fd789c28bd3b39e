#include <string>
#include <vector>

#include "probes/confirmation.h"
#include "tests/catch.h"

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
