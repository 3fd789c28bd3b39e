#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/delivery/courier.h"
#include "tests/agent/fake_sink.h"
#include "tests/catch.h"
#include "tests/fakes/simulator.h"

using namespace muster;
using namespace std::chrono_literals;
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

TEST_CASE("courier: the verdict overtakes an in-progress that gets nowhere") {
    Simulator simulator(R"({"endpoint": [{"contains": "in-progress", "blackhole": true}]})");
    const auto clock = make_system_clock();
    const Files files;
    Courier courier(*clock);
    courier.add(webhook("scaler", simulator.endpoint), files);
    courier.announce({.body = R"({"outcome":"in-progress"})", .key = "i-1/b/1"},
                     Deadline::in(*clock, 60s));
    while (simulator.state()["endpoint"]["requests"] == 0) {
    }
    const auto start = clock->now();
    const auto deliveries = courier.deliver(message, Deadline::in(*clock, 30s));
    CHECK(deliveries.front().delivered);
    CHECK(clock->now() - start < 3s);
    const auto got = simulator.recorded();
    CHECK(got.back()["headers"]["Idempotency-Key"] == "i-1/b/2");
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
    const auto start = clock->now();
    Duration took{};
    auto watcher = clock->start("watcher", [&] {
        while (well.recorded().empty() && clock->now() < start + 10s)
            clock->sleep_until(clock->now() + 5ms);
        took = clock->now() - start;
    });
    const auto deliveries = courier.deliver(message, Deadline::in(*clock, 1500ms));
    clock->wait(*watcher);
    CHECK(clock->now() - start >= 1400ms);
    CHECK(clock->now() - start < 4s);
    CHECK(took < 1s);
    REQUIRE(deliveries.size() == 3);
    CHECK(deliveries[0].sink == "a");
    CHECK_FALSE(deliveries[0].delivered);
    CHECK(deliveries[1].delivered);
    CHECK_FALSE(deliveries[2].delivered);
}

TEST_CASE("courier: it ends with its owner, in the middle of an in-progress") {
    Simulator simulator("endpoint_blackhole");
    const auto clock = make_system_clock();
    const auto start = clock->now();
    {
        const Files files;
        Courier courier(*clock);
        courier.add(webhook("scaler", simulator.endpoint), files);
        courier.announce(message, Deadline::in(*clock, 60s));
    }
    CHECK(clock->now() - start < 3s);
}
