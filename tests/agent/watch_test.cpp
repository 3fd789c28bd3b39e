// The loop of `muster watch`, on a clock that passes only when it waits.
#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <random>

#include "agent/report.h"
#include "agent/watch/watch.h"
#include "tests/agent/fake_sink.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/seeds.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

probes::Finding stuck(const std::string& subject = "data") {
    return probes::failed("ebs", subject, "ebs-stuck", "no answer");
}

/// A span in which a volume is bad.
struct Fault {
    Duration from;
    Duration until;
    probes::Finding finding;
};

/// Sees what a script says of the time.
class FakeEyes : public Eyes {
  public:
    explicit FakeEyes(FakeClock& clock) : clock_(clock) {}

    void follow(const Config& config) override { followed.push_back(config); }

    [[nodiscard]] Sight look(Deadline) override {
        looks.push_back(clock_.elapsed());
        Sight sight;
        sight.findings = {probes::pass("root", "mount", "well")};
        bool bad = false;
        for (const auto& [from, until, finding] : faults) {
            if (clock_.elapsed() < from || clock_.elapsed() >= until) continue;
            sight.findings.push_back(finding);
            bad = true;
        }
        if (!bad) sight.findings.push_back(probes::pass("ebs", "data", "answers"));
        bad_looks.push_back(bad);
        for (const auto& [from, until, notice] : notices) {
            if (clock_.elapsed() >= from && clock_.elapsed() < until)
                sight.notices.push_back(notice);
        }
        sight.instance = {.id = "i-1", .source = "metadata"};
        clock_.advance(takes);
        return sight;
    }

    struct Announced {
        Duration from;
        Duration until;
        probes::Notice notice;
    };
    std::vector<Fault> faults;
    std::vector<Announced> notices;
    Duration takes = 20ms;
    std::vector<Duration> looks; ///< since the test began
    std::vector<bool> bad_looks;
    std::vector<Config> followed;

  private:
    FakeClock& clock_;
};

/// On which a look may hang for ever.
class HangingClock : public FakeClock {
  public:
    [[nodiscard]] std::unique_ptr<Job> start(std::string name,
                                             std::function<void()> work) override {
        if (hangs && name == "look") return std::make_unique<Job>();
        return FakeClock::start(std::move(name), std::move(work));
    }
    bool hangs = false;
};

struct Told {
    Duration at;
    json report;
};

struct Fixture {
    Fixture() {
        std::string name = "/dev/shm/muster-watch.XXXXXX"; // a tmpfs, as /run is
        path = ::mkdtemp(name.data());
        files = Files(path);
        add_sink("scaler");
    }
    ~Fixture() { fs::remove_all(path); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    void add_sink(const std::string& name) {
        config.report.to.push_back({.name = name, .type = SinkConfig::Type::file, .path = "/x"});
    }

    /// The endpoint: takes what comes, but for what a test says of the time.
    [[nodiscard]] std::unique_ptr<Sink> endpoint(const std::string& name) {
        class Endpoint : public Sink {
          public:
            Endpoint(Fixture& of, std::string called) : of_(of), name_(std::move(called)) {}
            std::expected<void, SinkError> deliver(const Message& message,
                                                   Duration limit) override {
                of_.time_left = limit;
                ++of_.tries[name_];
                const auto answer =
                    of_.answers.contains(name_) ? of_.answers[name_](message) : FakeSink::Answer{};
                if (answer) {
                    of_.told[name_].push_back({of_.clock.elapsed(), json::parse(message.body)});
                    of_.keys.push_back(message.key);
                }
                return answer;
            }

          private:
            Fixture& of_;
            std::string name_;
        };
        return std::make_unique<Endpoint>(*this, name);
    }

    /// From a new process on, for so long; then SIGTERM.
    void watch(Duration how_long) {
        const Instant end = clock.now() + how_long;
        Watch resident(
            {.files = files,
             .clock = clock,
             .eyes = eyes,
             .make_sink = [this](const SinkConfig& sink,
                                 const std::function<bool()>&) -> Result<std::unique_ptr<Sink>> {
                 ++sinks_made;
                 if (broken_sinks) return fail(Errc::absent, "no token");
                 return endpoint(sink.name);
             },
             .wait = [this, end](Instant until) { return wait(std::min(until, end), end); },
             .read_config = [this] { return next_config; },
             .tell_manager =
                 [this](std::string_view state) {
                     manager.emplace_back(clock.elapsed(), state.substr(0, state.find('\n')));
                 },
             .publish = [this](const std::string& file, std::string_view text,
                               Deadline) -> Result<void> {
                 published[file] = text;
                 ++publications;
                 return {};
             },
             .tell_console = [this](std::string_view line) { console.emplace_back(line); },
             .ping_every = ping_every,
             .seed = 1},
            config);
        CHECK(resident.run() == !clock.hangs);
    }

    Wake wait(Instant until, Instant end) {
        if (!reloads.empty() && clock.elapsed() >= reloads.front()) {
            reloads.pop_front();
            return Wake::reload;
        }
        if (!reloads.empty()) until = std::min(until, clock.begin + reloads.front());
        ++waits;
        clock.sleep_until(std::max(until, clock.now()));
        return clock.now() >= end ? Wake::stop : Wake::time;
    }

    /// "degraded:ebs-stuck" ..., without the signs of life.
    [[nodiscard]] std::vector<std::string> outcomes(const std::string& sink = "scaler") {
        std::vector<std::string> all;
        for (const auto& [at, report] : told[sink]) {
            if (report.contains("notice") && report["notice"]["kind"] == "heartbeat") continue;
            std::string text = report["outcome"];
            if (report.contains("reason"))
                text += ":" + report["reason"]["code"].get<std::string>();
            if (report.contains("notice"))
                text += ":" + report["notice"]["kind"].get<std::string>();
            if (report.value("superseded", false)) text += ":superseded";
            all.push_back(text);
        }
        return all;
    }
    [[nodiscard]] std::vector<Told> heartbeats(const std::string& sink = "scaler") {
        std::vector<Told> all;
        for (const auto& one : told[sink]) {
            if (one.report.contains("notice") && one.report["notice"]["kind"] == "heartbeat")
                all.push_back(one);
        }
        return all;
    }
    [[nodiscard]] std::size_t spooled() const {
        return files.list("/run/muster/spool").value_or(std::vector<std::string>{}).size();
    }
    [[nodiscard]] std::vector<std::string> states() const {
        std::vector<std::string> all;
        for (const auto& [at, state] : manager) {
            if (state != "WATCHDOG=1") all.push_back(state);
        }
        return all;
    }

    fs::path path;
    Files files{"/"};
    HangingClock clock;
    Config config;
    FakeEyes eyes{clock};
    std::map<std::string, std::function<FakeSink::Answer(const Message&)>> answers;
    std::map<std::string, std::vector<Told>> told; ///< what each sink took
    std::vector<std::string> keys;
    Duration time_left{}; ///< of the try that is under way
    std::map<std::string, unsigned> tries;
    std::deque<Duration> reloads;
    std::optional<Config> next_config;
    std::vector<std::pair<Duration, std::string>> manager;
    std::map<std::string, std::string> published;
    unsigned publications = 0;
    std::vector<std::string> console;
    std::optional<Duration> ping_every;
    unsigned sinks_made = 0;
    unsigned waits = 0;
    bool broken_sinks = false;
};

using Outcomes = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(Fixture, "watch: an hour in which nothing happens") {
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

TEST_CASE_METHOD(Fixture, "watch: an hour in which faults come and go") {
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

TEST_CASE_METHOD(Fixture, "watch: random faults: never more reports than the hysteresis allows") {
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

TEST_CASE_METHOD(Fixture,
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

TEST_CASE_METHOD(Fixture, "watch: a sink that comes back has all of it soon, without a restart") {
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

TEST_CASE_METHOD(Fixture, "watch: a sink that refuses for good blocks nothing behind it") {
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

TEST_CASE_METHOD(Fixture, "watch: a sink that can't be made keeps its reports") {
    broken_sinks = true;
    eyes.faults = {{1min, 10min, stuck()}};
    watch(30min);
    CHECK(outcomes().empty());
    CHECK(spooled() == 3);
}

TEST_CASE_METHOD(Fixture, "watch: a sink that is down for days fills nothing up") {
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

TEST_CASE_METHOD(Fixture, "watch: a verdict that run could not deliver goes out, and is not void") {
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

TEST_CASE_METHOD(Fixture, "watch: each notice once") {
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

TEST_CASE_METHOD(Fixture, "watch: restarted while degraded, it still says recovered") {
    eyes.faults = {{0min, 20min, stuck()}};
    watch(10min);
    watch(30min);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck", "stopping", "recovered", "stopping"});
    REQUIRE(files.write("/run/muster/watch.json", "{\"boot_id\": \"unknown\", \"bad\": 3}"));
    watch(10min); // what can't be understood is nothing
    CHECK(outcomes().size() == 5);
}

TEST_CASE_METHOD(Fixture,
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

TEST_CASE_METHOD(Fixture, "watch: a reload loses nothing that is on its way, or known to be bad") {
    answers["scaler"] = [&](const Message&) {
        return clock.elapsed() < 12min ? FakeSink::again() : FakeSink::Answer{};
    };
    eyes.faults = {{1min, 20min, stuck()}};
    next_config = config;
    reloads = {10min};
    watch(30min);
    CHECK(outcomes() == Outcomes{"degraded:ebs-stuck", "recovered", "stopping"});
}

TEST_CASE_METHOD(Fixture, "watch: SIGTERM: goodbye to all within its bound, whatever hangs") {
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

TEST_CASE_METHOD(Fixture, "watch: a look that takes its time is not the reason for another") {
    eyes.takes = 100s; // a stuck disk, longer than the interval
    watch(1h);
    CHECK(eyes.looks.size() >= 30);
    CHECK(eyes.looks.size() <= 37);
    for (std::size_t i = 1; i < eyes.looks.size(); ++i)
        CHECK(eyes.looks[i] - eyes.looks[i - 1] >= 100s);
}

TEST_CASE_METHOD(Fixture, "watch: the service manager hears that the loop goes on") {
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

TEST_CASE_METHOD(Fixture,
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

TEST_CASE_METHOD(Fixture, "watch: the file of numbers") {
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
