#include "agent/config/units.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("durations") {
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("100s") == 100s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("48h") == 48h);
    CHECK(parse_duration("0s") == 0s);
    for (const char* wrong : {"", "s", "5", "5 m", " 5m", "5m ", "-5m", "+5m", "1.5s", "1e3s", "5M",
                              "1m30s", "5ns", "5d", "0x5s", "5ms\n"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_duration(wrong));
    }
}

TEST_CASE("a duration that does not fit is none") {
    CHECK(parse_duration("9223372036s") == 9223372036s);
    CHECK_FALSE(parse_duration("9223372037s"));
    CHECK_FALSE(parse_duration("2562048h"));
    CHECK_FALSE(parse_duration("18446744073709551615ms"));
    CHECK_FALSE(parse_duration("18446744073709551616ms"));
}

TEST_CASE("sizes") {
    CHECK(parse_size("512B") == 512);
    CHECK(parse_size("256KiB") == 256 << 10);
    CHECK(parse_size("10MiB") == 10 << 20);
    CHECK(parse_size("100GiB") == 100ULL << 30);
    CHECK(parse_size("1TiB") == 1ULL << 40);
    for (const char* wrong : {"", "KiB", "256", "256K", "256KB", "1GB", "1 GiB", "-1GiB", "1.5GiB",
                              "1gib", "1GiBs", "100%"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_size(wrong));
    }
}

TEST_CASE("a size that does not fit is none") {
    CHECK(parse_size("18446744073709551615B") == 18446744073709551615ULL);
    CHECK(parse_size("16777215TiB") == 16777215ULL << 40);
    CHECK_FALSE(parse_size("16777216TiB"));
    CHECK_FALSE(parse_size("18446744073709551616B"));
    CHECK_FALSE(parse_size("99999999999999999999999GiB"));
}

TEST_CASE("percents") {
    CHECK(parse_percent("5%") == 5.0);
    CHECK(parse_percent("2.5%") == 2.5);
    CHECK(parse_percent("0%") == 0.0);
    CHECK(parse_percent("100%") == 100.0);
    for (const char* wrong : {"", "%", "5", "-5%", "100.1%", "inf%", "nan%", "1e1%", ".5%", "5.%",
                              "1.2.3%", "5 %", "5%%"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_percent(wrong));
    }
    CHECK(parse_whole_percent("100%") == 100U);
    CHECK_FALSE(parse_whole_percent("2.5%"));
    CHECK_FALSE(parse_whole_percent("101%"));
    CHECK_FALSE(parse_whole_percent("4294967396%")); // 100 in 32 bits
}

TEST_CASE("permissions") {
    CHECK(parse_permissions("1777") == 01777U);
    CHECK(parse_permissions("0755") == 0755U);
    CHECK(parse_permissions("700") == 0700U);
    CHECK(parse_permissions("01777") == 01777U);
    for (const char* wrong : {"", "7", "77", "0788", "17777", "001777", "rwx", "-777", "0o755"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_permissions(wrong));
    }
}

TEST_CASE("amounts are written in the largest unit that is exact") {
    CHECK(format_duration(48h) == "48h");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(1500ms) == "1500ms");
    CHECK(format_duration(0s) == "0ms");
    CHECK(format_size(1 << 20) == "1MiB");
    CHECK(format_size(4096) == "4KiB");
    CHECK(format_size(1023) == "1023B");
}
