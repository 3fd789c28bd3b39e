// The loop of `muster watch`.
#include <random>

#include "tests/agent/watched.h"
#include "tests/seeds.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE_METHOD(Watched, "watch: an hour in which nothing happens") {
    watch(1h);
    CHECK(outcomes() == Outcomes{"stopping"});
    CHECK(eyes.looks.size() >= 100);
    CHECK(eyes.looks.size() <= 150);
    CHECK(eyes.looks.front() < 1s);
    bool jittered = false;
    for (std::size_t i = 1; i < eyes.looks.size(); ++i) {
        const auto between = eyes.looks[i] - eyes.looks[i - 1];
        CHECK(between >= 24s);
        CHECK(between <= 37s);
        jittered |= between != eyes.looks[1] - eyes.looks[0];
    }
    CHECK(jittered);
    const auto beats = heartbeats();
    CHECK(beats.size() >= 12);
    CHECK(beats.size() <= 16);
    // What a sink needs of the root is had soon, but not by a whole fleet at once.
    CHECK(beats[0].at >= 1s);
    CHECK(beats[0].at <= 11s);
    for (std::size_t i = 1; i < beats.size(); ++i)
        CHECK(beats[i].at - beats[i - 1].at <= 5min + 1s);
    CHECK(beats[0].report["outcome"] == "notice");
    CHECK(beats[0].report["notice"]["detail"] == json{{"degraded", false}, {"next_seconds", 300}});
    CHECK(beats[0].report["recreate"] == false);
    CHECK(beats[0].report["instance"]["id"] == "i-1");
    CHECK_FALSE(beats[0].report.contains("reason"));
    CHECK(spooled() == 0);
    CHECK(states() == std::vector<std::string>{"READY=1", "STOPPING=1"});
    CHECK(waits < 2000); // idle is idle: looks, signs of life, and the ends of both
    CHECK(std::ranges::count(clock.jobs, "numbers") == 0);
}

TEST_CASE_METHOD(Watched, "watch: an hour in which faults come and go") {
    eyes.faults = {
        {2min, 2min + 45s, stuck()},    // two looks: nothing
        {10min, 20min, stuck()},        // degraded, recovered
        {30min, 40min, stuck()},        // degraded
        {34min, 36min, stuck("other")}, // and one more
        {45min, 50min, probes::unknown("ebs", "data", "who knows")},
    };
    watch(1h);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck", "recovered", "degraded:ebs-stuck",
                                 "degraded:ebs-stuck", "recovered", "degraded:cannot-tell",
                                 "recovered", "stopping"});
    const auto& all = told["scaler"];
    const auto nth = [&](const std::string& outcome, int n) {
        for (const auto& one : all) {
            if (one.report["outcome"] == outcome && n-- == 0) return one;
        }
        FAIL("no such report");
        return all[0];
    };
    const auto degraded = nth("degraded", 0);
    // The third bad look, and not before.
    CHECK(degraded.at >= 10min + 48s);
    CHECK(degraded.at <= 10min + 3 * 37s);
    CHECK(degraded.report["recreate"] == false);
    CHECK(degraded.report["reason"] == json{{"code", "ebs-stuck"}, {"message", "no answer"}});
    REQUIRE(degraded.report["findings"].size() == 2);
    CHECK(degraded.report["findings"][0]["subject"] == "data"); // what is bad comes first
    const auto recovered = nth("recovered", 0);
    CHECK(recovered.at >= 20min + 48s);
    CHECK(recovered.at <= 20min + 3 * 37s);
    CHECK_FALSE(recovered.report.contains("reason"));
    CHECK(recovered.report["findings"].size() == 2);
    unsigned last = 0;
    for (const auto& [at, report] : all) {
        CHECK(report["sequence"] > last);
        last = report["sequence"];
        CHECK(report["recreate"] == false);
    }
    const auto is_degraded = [](const Told& beat) {
        return beat.report["notice"]["detail"]["degraded"] == true;
    };
    const auto beats = heartbeats();
    CHECK(std::ranges::count_if(beats, is_degraded) >= 3);
    CHECK(console.size() == 7);
    CHECK_THAT(console[0], Catch::Contains("DEGRADED: ebs-stuck"));
}

TEST_CASE_METHOD(Watched, "watch: random faults: never more reports than the hysteresis allows") {
    const auto [first, count] = testing::seeds(20, 1000);
    for (auto seed = first; seed < first + count; ++seed) {
        INFO("MUSTER_SEED=" << seed);
        std::mt19937_64 random(seed);
        eyes.faults.clear();
        for (Duration at = clock.elapsed(); at < clock.elapsed() + 1h;) {
            const auto good = std::chrono::seconds(random() % 400);
            const auto bad = std::chrono::seconds(random() % 400);
            eyes.faults.push_back({at + good, at + good + bad, stuck()});
            at += good + bad;
        }
        told.clear();
        eyes.bad_looks.clear();
        watch(1h);
        // What an independent reading of the looks comes to.
        Hysteresis expected({3, 5});
        Outcomes changes;
        for (const bool bad : eyes.bad_looks) {
            const auto change =
                expected.add({bad ? stuck() : probes::pass("ebs", "data", "answers")});
            if (change == Hysteresis::Change::degraded) changes.emplace_back("degraded:ebs-stuck");
            if (change == Hysteresis::Change::recovered) changes.emplace_back("recovered");
        }
        changes.emplace_back("stopping");
        auto seen = outcomes();
        REQUIRE(seen.size() <= eyes.bad_looks.size() / 3 + 1);
        REQUIRE(seen == changes);
        fs::remove(path / "run/muster/watch.json"); // the next one is another machine
    }
}

TEST_CASE_METHOD(Watched, "watch: each notice once") {
    const probes::Notice spot{"spot-interruption", {{"action", "terminate"}}, "2026-11-21T21:00Z"};
    const probes::Notice later{"spot-interruption", {{"action", "stop"}}, "2026-11-21T21:00Z"};
    const probes::Notice rebalance{"rebalance", json::object(), "2026-11-21T20:30Z"};
    const auto lifecycle = [](const char* state) {
        return probes::Notice{"lifecycle", {{"state", state}}, ""};
    };
    eyes.notices = {
        {5min, 10min, rebalance},
        {12min, 20min, rebalance}, // a 404 in between
        {20min, 25min, spot},
        {25min, 40min, later},
        {0min, 30min, lifecycle("InService")},
        {30min, 1h, lifecycle("Terminated")},
    };
    watch(40min);
    CHECK(outcomes() == Outcomes{"notice:rebalance", "notice:spot-interruption",
                                 "notice:spot-interruption", "notice:lifecycle", "stopping"});
    const auto& report = told["scaler"].back().report;
    CHECK(report["outcome"] == "stopping");
    for (const auto& [at, each] : told["scaler"]) {
        if (!each.contains("notice") || each["notice"]["kind"] != "lifecycle") continue;
        CHECK(each["notice"] == json{{"kind", "lifecycle"}, {"detail", {{"state", "Terminated"}}}});
    }
    // A service that is restarted does not say it all again.
    watch(10min);
    CHECK(outcomes().size() == 6);
}

TEST_CASE_METHOD(Watched, "watch: restarted while degraded, it still says recovered") {
    eyes.faults = {{0min, 20min, stuck()}};
    watch(10min);
    watch(30min);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck", "stopping", "recovered", "stopping"});
    REQUIRE(files.write("/run/muster/watch.json", "{\"boot_id\": \"unknown\", \"bad\": 3}"));
    watch(10min); // what can't be understood is nothing
    CHECK(outcomes().size() == 5);
}

TEST_CASE_METHOD(Watched,
                 "watch: SIGHUP: another configuration, or the old one where it is wrong") {
    reloads = {5min, 10min};
    watch(9min);
    CHECK(states() == std::vector<std::string>{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"});
    CHECK(sinks_made == 1); // there was none to be had
    CHECK(eyes.followed.size() == 1);

    manager.clear();
    next_config = config;
    next_config->watch.interval = 5s;
    next_config->report.to.push_back(
        {.name = "second", .type = SinkConfig::Type::file, .path = "/y"});
    const auto looks = eyes.looks.size();
    watch(11min); // from 9 to 20 minutes
    CHECK(states() == std::vector<std::string>{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"});
    REQUIRE(eyes.followed.size() == 3);
    CHECK(eyes.followed.back().watch.interval == 5s);
    CHECK(sinks_made == 1 + 1 + 2);
    CHECK(eyes.looks.size() - looks > 100);
    CHECK(outcomes("second") == Outcomes{"stopping"});
    CHECK_FALSE(heartbeats("second").empty());
}

TEST_CASE_METHOD(Watched, "watch: a reload loses nothing that is on its way, or known to be bad") {
    answers["scaler"] = [&](const Message&) {
        return clock.elapsed() < 12min ? FakeSink::again() : FakeSink::Answer{};
    };
    eyes.faults = {{1min, 20min, stuck()}};
    next_config = config;
    reloads = {10min};
    watch(30min);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck", "recovered", "stopping"});
}

TEST_CASE_METHOD(Watched, "watch: SIGTERM: goodbye to all within its bound, whatever hangs") {
    add_sink("hangs");
    answers["hangs"] = [&](const Message&) {
        clock.advance(std::min<Duration>(3s, time_left));
        return FakeSink::again();
    };
    watch(1min);
    CHECK(outcomes() == Outcomes{"stopping"});
    CHECK(outcomes("hangs").empty());
    CHECK(clock.elapsed() <= 1min + 5s + 100ms);
    CHECK(spooled() == 1);
    CHECK(manager.back().second == "STOPPING=1");
}

TEST_CASE_METHOD(Watched, "watch: a look that takes its time is not the reason for another") {
    eyes.takes = 100s; // a stuck disk, longer than the interval
    watch(1h);
    CHECK(eyes.looks.size() >= 30);
    CHECK(eyes.looks.size() <= 37);
    for (std::size_t i = 1; i < eyes.looks.size(); ++i)
        CHECK(eyes.looks[i] - eyes.looks[i - 1] >= 100s);
}

TEST_CASE_METHOD(Watched, "watch: the service manager hears that the loop goes on") {
    ping_every = 15s;
    watch(10min);
    Duration last{};
    unsigned pings = 0;
    for (const auto& [at, state] : manager) {
        if (state != "WATCHDOG=1") continue;
        ++pings;
        CHECK(at - last <= 16s);
        last = at;
    }
    CHECK(pings >= 39);
    CHECK(pings <= 60);
}

TEST_CASE_METHOD(Watched,
                 "watch: a look that hangs where nothing can: no sign of life, but a goodbye") {
    ping_every = 15s;
    clock.hangs = true;
    watch(10min);
    Duration last{};
    for (const auto& [at, state] : manager) {
        if (state == "WATCHDOG=1") last = at;
    }
    // Its deadline and some grace, then the manager is to end us.
    CHECK(last >= config.root.io_deadline + 2min);
    CHECK(last <= config.root.io_deadline + 3min);
    CHECK_FALSE(heartbeats().empty());
    CHECK(outcomes() == Outcomes{"stopping"});
    CHECK(clock.elapsed() <= 10min + 1s); // a look is not waited for
}

TEST_CASE_METHOD(Watched, "watch: the file of numbers") {
    config.metrics_textfile = "/x.prom";
    eyes.faults = {{1min, 1h, stuck()}};
    watch(10min);
    const auto& text = published["/x.prom"];
    for (const char* line :
         {"muster_up 0", "muster_degraded 1",
          "muster_check_status{check=\"ebs\",subject=\"data\"} 0",
          "muster_check_status{check=\"root\",subject=\"mount\"} 1",
          "muster_last_look_timestamp_seconds 17", "muster_reports_undelivered "})
        CHECK_THAT(text, Catch::Contains("\n" + std::string(line)));
    CHECK(publications >= 15); // one a look, and the last
    CHECK(publications <= eyes.looks.size() + 1);
}
