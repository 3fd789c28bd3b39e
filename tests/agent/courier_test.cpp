#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "agent/delivery/courier.h"
#include "tests/agent/fake_sink.h"
#include "tests/catch.h"
#include "tests/fakes/simulator.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;
using muster::testing::eventually;
using muster::testing::Limit;
using muster::testing::patience;
using muster::testing::Simulator;

namespace {

const Message message{.body = R"({"outcome":"ready"})", .key = "i-1/b/2"};
const std::atomic<bool> never = false;

Schedule schedule(std::uint64_t seed = 1) {
    return Schedule({.base = 500ms, .cap = 15s}, seed);
}

Delivery delivered(const char* sink, bool required, bool done) {
    return {.sink = sink, .required = required, .delivered = done, .tries = 1, .error = ""};
}

SinkConfig webhook(const std::string& name, const std::string& url) {
    return {.name = name, .type = SinkConfig::Type::webhook, .url = url, .proxy = ""};
}

} // namespace

TEST_CASE("courier: tries until it is delivered, and no more") {
    FakeClock clock;
    FakeSink sink(
        clock, [](unsigned tries) { return tries < 4 ? FakeSink::again() : FakeSink::Answer{}; });
    const auto delivery =
        deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s), schedule(), never);
    CHECK(delivery.delivered);
    CHECK(delivery.tries == 4);
    CHECK(delivery.error.empty());
    CHECK(clock.elapsed() <= 500ms + 1s + 2s);
    for (const auto& sent : sink.messages) {
        CHECK(sent.key == message.key); // the same, so the receiver knows it
        CHECK(sent.body == message.body);
    }
}

TEST_CASE("courier: refused for good after one try") {
    FakeClock clock;
    FakeSink sink(clock, [](unsigned) { return FakeSink::never(); });
    const auto delivery =
        deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s), schedule(), never);
    CHECK_FALSE(delivery.delivered);
    CHECK(delivery.tries == 1);
    CHECK(delivery.error == "no");
    CHECK(clock.elapsed() == 0s);
}

TEST_CASE("courier: gives up at the deadline, never after it, with jitter and a cap") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        FakeClock clock;
        FakeSink sink(clock, [&](unsigned) {
            clock.advance(20ms);
            return FakeSink::again();
        });
        const auto delivery = deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s),
                                                   schedule(seed), never);
        CHECK_FALSE(delivery.delivered);
        CHECK(delivery.error == "not now");
        CHECK(delivery.tries >= 5);
        CHECK(delivery.tries <= 60);
        CHECK(clock.elapsed() < 60s);
        for (std::size_t i = 0; i < sink.at.size(); ++i) {
            CHECK(sink.limits[i] <= 10s); // one try is not all there is
            CHECK(sink.limits[i] <= 60s - sink.at[i]);
            if (i > 0) CHECK(sink.at[i] - sink.at[i - 1] <= 15s + 1s);
        }
    }
}

TEST_CASE("courier: there is a try in each stretch of time that has room for one") {
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
        FakeClock clock;
        FakeSink sink(clock, [&](unsigned) {
            return clock.elapsed() < 25s ? FakeSink::again() : FakeSink::Answer{};
        });
        const auto delivery = deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s),
                                                   Schedule(courier_backoff, seed), never);
        CHECK(delivery.delivered);
    }
}

TEST_CASE("courier: waits as long as the receiver asks, unless that is too long") {
    FakeClock clock;
    FakeSink patient(clock, [](unsigned tries) {
        return tries == 1 ? FakeSink::again(20s) : FakeSink::Answer{};
    });
    auto delivery =
        deliver_with_retries(patient, message, clock, Deadline::in(clock, 60s), schedule(), never);
    CHECK(delivery.delivered);
    CHECK(clock.elapsed() >= 20s);
    CHECK(clock.elapsed() < 21s);

    FakeClock other;
    FakeSink absurd(other, [](unsigned) { return FakeSink::again(10min); });
    delivery =
        deliver_with_retries(absurd, message, other, Deadline::in(other, 60s), schedule(), never);
    CHECK(delivery.tries == 1);
    CHECK(other.elapsed() == 0s); // waiting for nothing would only delay the end
}

TEST_CASE("courier: called off before, or while it waits; no try after that") {
    FakeClock clock;
    std::atomic<bool> cancelled = true;
    FakeSink sink(clock, [&](unsigned) {
        cancelled = true;
        return FakeSink::again(30s);
    });
    CHECK(
        deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s), schedule(), cancelled)
            .tries == 0);
    cancelled = false;
    CHECK(
        deliver_with_retries(sink, message, clock, Deadline::in(clock, 60s), schedule(), cancelled)
            .tries == 1);
    CHECK(clock.elapsed() < 100ms);
    cancelled = false;
    const Deadline past{clock.now() - 1s};
    CHECK(deliver_with_retries(sink, message, clock, past, schedule(), cancelled).tries == 0);
}

TEST_CASE("courier: what counts as delivered") {
    CHECK(all_delivered({}));
    CHECK(all_delivered({delivered("a", false, true)}));
    CHECK_FALSE(all_delivered({delivered("a", false, false)}));
    CHECK(all_delivered({delivered("a", false, false), delivered("b", false, true)}));
    CHECK_FALSE(all_delivered({delivered("a", true, false), delivered("b", false, true)}));
    CHECK(all_delivered({delivered("a", true, true), delivered("b", false, false)}));
    CHECK_FALSE(all_delivered({delivered("a", true, true), delivered("b", true, false)}));
}

TEST_CASE("courier: no sink, and one that can't be made") {
    FakeClock clock;
    Courier courier(clock);
    const Files files;
    CHECK(courier.deliver(message, Deadline::in(clock, 10s)).empty());
    auto broken = webhook("scaler", "http://127.0.0.1:9/");
    broken.token_file = "/no/such/token";
    broken.required = true;
    courier.add(broken, files);
    courier.announce(message, Deadline::in(clock, 10s));
    const auto deliveries = courier.deliver(message, Deadline::in(clock, 10s));
    REQUIRE(deliveries.size() == 1);
    CHECK(deliveries[0].sink == "scaler");
    CHECK(deliveries[0].required);
    CHECK_FALSE(deliveries[0].delivered);
    CHECK(deliveries[0].tries == 0);
    CHECK(deliveries[0].error.find("/no/such/token") != std::string::npos);
    CHECK(clock.elapsed() == 0s);
}

namespace {

/// An in-progress that is sent and not answered.
struct Announced {
    explicit Announced(Simulator& simulator) : courier(*clock) {
        const auto requests = [&] {
            return simulator.state()["endpoint"]["requests"].get<unsigned>();
        };
        const auto before = requests();
        courier.add(webhook("scaler", simulator.endpoint), files);
        courier.announce({.body = R"({"outcome":"in-progress"})", .key = "i-1/b/1"},
                         Deadline::in(*clock, patience));
        while (requests() == before) {
        }
    }
    /// Its try would still go on, had it been left alone.
    [[nodiscard]] bool is_early() const { return clock->now() < begun + announce_try_limit; }

    std::unique_ptr<Clock> clock = make_system_clock();
    Instant begun = clock->now();
    Files files;
    Courier courier;
};

} // namespace

// A machine may be so slow that the try is over anyway: then it is tried again.
TEST_CASE("courier: the verdict overtakes an in-progress that gets nowhere") {
    Simulator simulator(R"({"endpoint": [{"contains": "in-progress", "blackhole": true}]})");
    const bool overtaken = eventually("a verdict overtakes", [&] {
        Announced announced(simulator);
        const auto& clock = *announced.clock;
        const auto deliveries = announced.courier.deliver(message, Deadline::in(clock, patience));
        const bool early = announced.is_early();
        CHECK(deliveries.front().delivered);
        CHECK(simulator.recorded().back()["headers"]["Idempotency-Key"] == "i-1/b/2");
        return early;
    });
    CHECK(overtaken);
}

TEST_CASE("courier: a sink that hangs delays no other") {
    Simulator hanging("endpoint_blackhole");
    Simulator well("healthy");
    const auto clock = make_system_clock();
    const Files files;
    Courier courier(*clock);
    courier.add(webhook("a", hanging.endpoint), files);
    courier.add(webhook("b", well.endpoint), files);
    courier.add(webhook("c", hanging.endpoint), files);
    const auto deliver = [&](Duration limit) {
        const Limit hang;
        const auto start = clock->now();
        auto deliveries = courier.deliver(message, Deadline::in(*clock, limit));
        CHECK(clock->now() - start >= limit - 100ms);
        CHECK(hang.holds("a delivery to sinks that hang"));
        REQUIRE(deliveries.size() == 3);
        return deliveries;
    };
    // One that hangs takes all the time that there is, so the others would get none after it. Only
    // a slow machine needs more of it.
    auto deliveries = deliver(1500ms);
    for (Duration limit = 3s; !deliveries[1].delivered && limit < patience; limit *= 2)
        deliveries = deliver(limit);
    CHECK(deliveries[0].sink == "a");
    CHECK_FALSE(deliveries[0].delivered);
    CHECK(deliveries[1].delivered);
    CHECK_FALSE(deliveries[2].delivered);
}

TEST_CASE("courier: it ends with its owner, in the middle of an in-progress") {
    Simulator simulator("endpoint_blackhole");
    const bool ended = eventually("a courier ends before its try", [&] {
        std::optional<Announced> announced(std::in_place, simulator);
        const auto clock = make_system_clock();
        const auto end = announced->begun + announce_try_limit;
        announced.reset();
        return clock->now() < end;
    });
    CHECK(ended);
}
