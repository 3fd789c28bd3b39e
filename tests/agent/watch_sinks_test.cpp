// What `muster watch` has to tell, where a sink fails.
#include "tests/agent/watched.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE_METHOD(Watched,
                 "watch: a sink that fails: kept, tried again ever more rarely, in order") {
    bool up = false;
    answers["scaler"] = [&](const Message&) { return up ? FakeSink::Answer{} : FakeSink::again(); };
    add_sink("other");
    eyes.faults = {{1min, 20min, stuck()}};
    watch(30min); // stopped while it still fails
    CHECK(outcomes().empty());
    CHECK(outcomes("other") == Outcomes{"degraded:ebs-stuck", "recovered", "stopping"});
    CHECK(spooled() == 3);
    CHECK(tries["scaler"] < 60);
    up = true;
    watch(30min);
    // What was bad is well again, and we are no longer stopping.
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck:superseded", "recovered", "stopping"});
    CHECK(spooled() == 0);
    std::ranges::sort(keys);
    keys.erase(std::ranges::unique(keys).begin(), keys.end());
    CHECK(keys.size() >= 8); // the two sinks' and the signs of life
}

TEST_CASE_METHOD(Watched, "watch: a sink that comes back has all of it soon, without a restart") {
    answers["scaler"] = [&](const Message&) {
        return clock.elapsed() < 15min ? FakeSink::again() : FakeSink::Answer{};
    };
    eyes.faults = {{1min, 10min, stuck()}};
    watch(30min);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck:superseded", "recovered", "stopping"});
    CHECK(told["scaler"].front().at <= 20min + 1s);
    CHECK_FALSE(heartbeats().empty());
    CHECK(spooled() == 0);
}

TEST_CASE_METHOD(Watched, "watch: a sink that refuses for good blocks nothing behind it") {
    answers["scaler"] = [&](const Message& message) {
        return message.body.find("\"degraded\"") != std::string::npos &&
                       message.body.find("heartbeat") == std::string::npos
                   ? FakeSink::never()
                   : FakeSink::Answer{};
    };
    eyes.faults = {{1min, 10min, stuck()}};
    watch(30min);
    CHECK(outcomes() == Outcomes{"recovered", "stopping"});
    CHECK(spooled() == 1); // for `muster deliver`, once somebody has mended the sink
}

TEST_CASE_METHOD(Watched, "watch: a sink that can't be made keeps its reports") {
    broken_sinks = true;
    eyes.faults = {{1min, 10min, stuck()}};
    watch(30min);
    CHECK(outcomes().empty());
    CHECK(spooled() == 3);
}

TEST_CASE_METHOD(Watched, "watch: a sink that is down for days fills nothing up") {
    answers["scaler"] = [&](const Message&) { return FakeSink::again(); };
    config.watch = {.interval = 2min, .bad = 1, .of = 1, .heartbeat = 1h};
    for (Duration from{}; from < 40h; from += 20min)
        eyes.faults.push_back({from, from + 10min, stuck()});
    // A verdict of `run` is never dropped while it is worth something.
    const json verdict = {{"outcome", "failed"}, {"boot_id", "unknown"}, {"sequence", 1}};
    REQUIRE(next_sequence(files) == 1);
    const auto name = Spool::name_of("unknown", 1, "scaler");
    REQUIRE(Spool(files).put(
        {.name = name,
         .sink = "scaler",
         .boot_id = "unknown",
         .sequence = 1,
         .time = std::chrono::floor<std::chrono::milliseconds>(clock.wall() - 2min),
         .message = {.body = verdict.dump(), .key = "k"}}));
    watch(22h);
    CHECK(tries["scaler"] < 1000);
    CHECK(spooled() == 100);
    CHECK(files.exists("/run/muster/spool/" + name));
    watch(30h); // everything of the first day is too old by now
    CHECK(spooled() <= 100);
    CHECK_FALSE(files.exists("/run/muster/spool/" + name));
    CHECK(outcomes().empty());
}

TEST_CASE_METHOD(Watched, "watch: a verdict that run could not deliver goes out, and is not void") {
    const json verdict = {
        {"outcome", "failed"}, {"recreate", true}, {"boot_id", "unknown"}, {"sequence", 1}};
    REQUIRE(next_sequence(files) == 1);
    const auto put = [&](Duration age) {
        REQUIRE(Spool(files).put(
            {.name = Spool::name_of("unknown", 1, "scaler"),
             .sink = "scaler",
             .boot_id = "unknown",
             .sequence = 1,
             .time = std::chrono::floor<std::chrono::milliseconds>(clock.wall() - age),
             .message = {.body = verdict.dump(), .key = "k"}}));
    };
    eyes.faults = {{0s, 1h, stuck()}};
    put(1s); // run may be at it
    watch(10s);
    CHECK(outcomes() == Outcomes{"stopping"});
    put(2min);
    answers["scaler"] = [&](const Message&) {
        return clock.elapsed() < 20min ? FakeSink::again() : FakeSink::Answer{};
    };
    watch(40min);
    REQUIRE(outcomes().size() >= 3);
    CHECK(outcomes()[1] == "failed"); // degraded came later, and does not make it void
    CHECK(outcomes()[2] == "degraded:ebs-stuck");
    std::vector<unsigned> sequences; // of all but the signs of life
    for (const auto& one : told["scaler"]) {
        if (!one.report.contains("notice")) sequences.push_back(one.report["sequence"]);
    }
    REQUIRE(sequences.size() >= 3);
    CHECK(sequences[1] < sequences[2]);
}
