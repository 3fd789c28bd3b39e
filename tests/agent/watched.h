// `muster watch` on a clock that passes only when it waits, with what it sees and whom it tells.
#pragma once

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "agent/report.h"
#include "agent/watch/watch.h"
#include "tests/agent/fake_sink.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/temporary_folder.h"

namespace muster {

inline probes::Finding stuck(const std::string& subject = "data") {
    return probes::failed("ebs", subject, "ebs-stuck", "no answer");
}

/// A span in which a volume is bad.
struct WatchFault {
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
    std::vector<WatchFault> faults;
    std::vector<Announced> notices;
    Duration takes = std::chrono::milliseconds(20);
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
    nlohmann::json report;
};

/// A process that watches, one after the other, and what its sinks were told.
struct Watched : TemporaryFolder {
    Watched() : TemporaryFolder("/dev/shm") { // a tmpfs, as /run is
        add_sink("scaler");
    }

    void add_sink(const std::string& name) {
        config.report.to.push_back({.name = name, .type = SinkConfig::Type::file, .path = "/x"});
    }

    /// The endpoint: takes what comes, but for what a test says of the time.
    [[nodiscard]] std::unique_ptr<Sink> endpoint(const std::string& name) {
        class Endpoint : public Sink {
          public:
            Endpoint(Watched& of, std::string called) : of_(of), name_(std::move(called)) {}
            std::expected<void, SinkError> deliver(const Message& message,
                                                   Duration limit) override {
                of_.time_left = limit;
                ++of_.tries[name_];
                const auto answer =
                    of_.answers.contains(name_) ? of_.answers[name_](message) : FakeSink::Answer{};
                if (answer) {
                    of_.told[name_].push_back(
                        {of_.clock.elapsed(), nlohmann::json::parse(message.body)});
                    of_.keys.push_back(message.key);
                }
                return answer;
            }

          private:
            Watched& of_;
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

    Files files{path};
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

} // namespace muster
