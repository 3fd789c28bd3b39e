#include "agent/delivery/on_failure.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

struct OnFailureFixture {
    void fail_so(const char* outcome = "failed", bool recreate = true, bool enforced = true) {
        const LastActs acts{.clock = clock,
                            .look_for_hold =
                                [&](Deadline) {
                                    ++looks;
                                    return looks > free_looks ? Hold{true, "held by a test"}
                                                              : Hold{};
                                },
                            .wait =
                                [&](Duration d) {
                                    waited = d;
                                    return !stopped;
                                },
                            .power_off = [&]() -> Result<void> {
                                ++power_offs;
                                return fail(Errc::denied, "in a test");
                            },
                            .tell_console = [&](std::string_view line) { console = line; }};
        after_failure(config,
                      {{"outcome", outcome}, {"recreate", recreate}, {"enforced", enforced}}, acts);
    }
    OnFailureFixture() {
        config.on_failure = {.action = OnFailureConfig::Action::poweroff, .delay = 60s};
    }

    FakeClock clock;
    Config config;
    int free_looks = 1000; ///< held from then on
    int looks = 0;
    bool stopped = false;
    Duration waited{};
    int power_offs = 0;
    std::string console;
};

} // namespace

TEST_CASE_METHOD(OnFailureFixture, "on failure: the machine ends, some time after the delay") {
    Duration least = 1h;
    Duration most{};
    for (int i = 0; i < 200; ++i) {
        fail_so();
        least = std::min(least, waited);
        most = std::max(most, waited);
    }
    CHECK(power_offs == 200);
    CHECK(least >= 60s);
    CHECK(least < 65s);
    CHECK(most > 85s);
    CHECK(most <= 90s);
    CHECK(console == "powering off now");
}

TEST_CASE_METHOD(OnFailureFixture, "on failure: only where a scaler would end it, too") {
    fail_so("ready", false);
    fail_so("failed", false);       // foreign data, a wrong configuration, interrupted ...
    fail_so("failed", true, false); // observe
    fail_so("degraded", true);      // never said, and would not count
    CHECK(power_offs == 0);
    CHECK(looks == 0);
}

TEST_CASE_METHOD(OnFailureFixture, "on failure: none is the default") {
    config.on_failure = {};
    fail_so();
    CHECK(power_offs == 0);
    CHECK(waited == 0s);
}

TEST_CASE_METHOD(OnFailureFixture, "on failure: held before the wait, or after it") {
    free_looks = 0;
    fail_so();
    CHECK(waited == 0s);
    CHECK(console == "not powering off: held by a test");
    looks = 0;
    free_looks = 1;
    fail_so();
    CHECK(waited >= 60s);
    CHECK(power_offs == 0);
}

TEST_CASE_METHOD(OnFailureFixture, "on failure: told to stop, it stays on") {
    stopped = true;
    fail_so();
    CHECK(waited >= 60s);
    CHECK(power_offs == 0);
}
