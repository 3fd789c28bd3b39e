#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/delivery/deliver.h"
#include "agent/delivery/leftovers.h"
#include "agent/delivery/spool.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Somebody else does something while we wait.
struct SharedClock : FakeClock {
    void sleep_until(Instant when) override {
        FakeClock::sleep_until(when);
        if (meanwhile) meanwhile();
    }
    std::function<void()> meanwhile;
};

/// In memory: the agent gives a disk five seconds, and one that others write to may need them.
struct Deliveries : TemporaryFolder {
    Deliveries() : TemporaryFolder("/dev/shm") {
        for (const char* sink : {"a", "b"}) {
            config.report.to.push_back({.name = sink,
                                        .type = SinkConfig::Type::file,
                                        .path = std::string("/sinks/") + sink});
        }
    }

    void put(const std::string& boot, unsigned sequence, const std::string& sink,
             Duration age = 1min, const char* outcome = "ready") const {
        const json body = {{"outcome", outcome}, {"boot_id", boot}, {"sequence", sequence}};
        REQUIRE(Spool(files).put(
            {.name = Spool::name_of(boot, sequence, sink),
             .sink = sink,
             .boot_id = boot,
             .sequence = sequence,
             .time = std::chrono::floor<std::chrono::milliseconds>(clock.wall() - age),
             .message = {.body = body.dump(), .key = "k"}}));
    }
    void latest(const std::string& boot, unsigned sequence) const {
        REQUIRE(files.write("/run/muster/report.json",
                            json{{"boot_id", boot}, {"sequence", sequence}}.dump()));
    }
    [[nodiscard]] bool deliver() { return empty_spool(files, clock, config, 60s); }
    /// With what survived a reboot.
    [[nodiscard]] bool deliver_all() {
        const auto isolate = make_isolate(clock);
        REQUIRE(isolate);
        FarSpool far(**isolate, clock, files);
        return empty_spool(files, clock, config, 60s, &far);
    }
    /// An entry that survived a reboot.
    void put_far(const std::string& boot, unsigned sequence, const std::string& sink,
                 const std::string& instance, const char* outcome = "failed") const {
        const json body = {{"outcome", outcome},
                           {"boot_id", boot},
                           {"sequence", sequence},
                           {"instance", {{"id", instance}}}};
        REQUIRE(SpoolFolder(files, "/var/lib/muster/spool/")
                    .put({.name = Spool::name_of(boot, sequence, sink),
                          .sink = sink,
                          .boot_id = boot,
                          .sequence = sequence,
                          .time = std::chrono::floor<std::chrono::milliseconds>(clock.wall() - 1h),
                          .message = {.body = body.dump(), .key = "k"}}));
    }
    void we_are(const std::string& boot, const std::string& instance) const {
        REQUIRE(files.write("/proc/sys/kernel/random/boot_id", boot + "\n"));
        if (!instance.empty())
            REQUIRE(files.write("/sys/class/dmi/id/board_asset_tag", instance + "\n"));
    }
    [[nodiscard]] std::size_t left_far() const {
        return files.list("/var/lib/muster/spool").value_or(std::vector<std::string>{}).size();
    }
    /// What the sink has, the last it was sent.
    [[nodiscard]] json sent(const std::string& sink) const {
        const auto text = files.read("/sinks/" + sink);
        return text ? json::parse(*text) : json();
    }
    [[nodiscard]] std::size_t left() const {
        return files.list("/run/muster/spool").value_or(std::vector<std::string>{}).size();
    }
    /// The sink can't be written from here on.
    void block(const std::string& sink) const {
        fs::create_directories(path / "sinks" / sink / "x");
    }

    Files files{path};
    SharedClock clock;
    Config config;
};

} // namespace

TEST_CASE_METHOD(Deliveries, "deliver: an empty spool is a delivered one") {
    CHECK(deliver());
}

TEST_CASE_METHOD(Deliveries, "deliver: each entry to its sink, and gone") {
    put("b-1", 2, "a");
    put("b-1", 2, "b");
    latest("b-1", 2);
    CHECK(deliver());
    CHECK(left() == 0);
    CHECK(sent("a")["sequence"] == 2);
    CHECK(sent("b")["sequence"] == 2);
    CHECK_FALSE(sent("a").contains("superseded")); // it is the latest
}

TEST_CASE_METHOD(Deliveries, "deliver: in order, and all but the latest say that they are not") {
    put("b-1", 4, "a");
    put("b-1", 2, "a");
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 4);
    CHECK_FALSE(sent("a").contains("superseded"));
    struct Row {
        const char* boot;
        unsigned sequence;
        bool superseded;
    };
    for (const auto& [boot, sequence, superseded] :
         {Row{"b-1", 4, false}, Row{"b-1", 6, true}, Row{"b-2", 1, true}}) {
        latest(boot, sequence); // delivered already, so not in the spool
        put("b-1", 4, "a");
        CHECK(deliver());
        INFO(boot << " " << sequence);
        CHECK(sent("a").value("superseded", false) == superseded);
    }
}

TEST_CASE_METHOD(Deliveries, "deliver: a failed boot is not made void by what watch says later") {
    put("b-1", 4, "a", 1min, "failed");
    put("b-1", 5, "a", 1min, "degraded");
    latest("b-1", 4);
    const auto failed = read_leftovers(Spool(files), files, clock).entries.at(0).message.body;
    CHECK_FALSE(json::parse(failed).contains("superseded"));
    put("b-1", 6, "a", 1min, "ready");
    for (const std::size_t i : {0U, 1U})
        CHECK(json::parse(
            read_leftovers(Spool(files), files, clock).entries.at(i).message.body)["superseded"]);
}

TEST_CASE_METHOD(Deliveries, "deliver: a report.json that can't be used changes nothing") {
    for (const char* text : {"{", "[]", "{}", R"({"boot_id": 3, "sequence": 9})",
                             R"({"boot_id": "b-1", "sequence": -9})"}) {
        REQUIRE(files.write("/run/muster/report.json", text));
        put("b-1", 4, "a");
        CHECK(deliver());
        CHECK_FALSE(sent("a").contains("superseded"));
    }
}

TEST_CASE_METHOD(Deliveries, "deliver: a sink that fails keeps its entries and no other's") {
    put("b-1", 2, "a");
    put("b-1", 2, "b");
    block("a");
    CHECK_FALSE(deliver());
    CHECK(left() == 1);
    CHECK(sent("b")["sequence"] == 2);
    CHECK(clock.elapsed() <= config.report.deadline);
}

TEST_CASE_METHOD(Deliveries, "deliver: no such sink any more") {
    put("b-1", 2, "gone");
    put("b-1", 2, "b");
    CHECK_FALSE(deliver());
    CHECK(left() == 1);
    CHECK(sent("b")["sequence"] == 2);
}

TEST_CASE_METHOD(Deliveries, "deliver: a day is the limit") {
    put("b-1", 2, "a", 24h + 1s);
    CHECK(deliver());
    CHECK(left() == 0);
    CHECK(sent("a").is_null());
    put("b-1", 3, "a", 24h - 1s);
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 3);
}

TEST_CASE_METHOD(Deliveries, "deliver: a clock that was set makes nothing of this boot old") {
    we_are("b-1", "i-0123456789abcdef0");
    put("b-1", 2, "a", 24h * 365);
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 2);
    clock.advance(25h); // of that boot
    put("b-1", 3, "a", 25h);
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 2);
}

TEST_CASE_METHOD(Deliveries, "deliver: what can't be understood goes, what can't be read stays") {
    fs::create_directories(path / "run/muster/spool/folder.json");
    std::ofstream(path / "run/muster/spool/bad.json") << "{";
    put("b-1", 2, "a");
    CHECK_FALSE(deliver());
    CHECK(sent("a")["sequence"] == 2);
    CHECK(left() == 1);
}

TEST_CASE_METHOD(Deliveries, "deliver: what survived a reboot is of a boot that is over") {
    we_are("b-2", "i-0123456789abcdef0");
    put_far("b-1", 7, "a", "i-0123456789abcdef0");
    put("b-2", 1, "a", 25min, "ready"); // less old than the other, whatever the clock says
    CHECK(deliver_all());
    CHECK(left_far() == 0);
    CHECK(sent("a")["sequence"] == 1); // it came last
    CHECK_FALSE(sent("a").contains("superseded"));
    put_far("b-1", 7, "b", "i-0123456789abcdef0");
    CHECK(deliver_all());
    CHECK(sent("b")["superseded"] == true); // though this boot has said nothing yet
}

TEST_CASE_METHOD(Deliveries, "deliver: a clone does not report for its original") {
    we_are("b-2", "i-0123456789abcdef0");
    put_far("b-1", 7, "a", "i-00000000000000000");
    put_far("b-1", 7, "b", "i-0123456789abcdef0");
    CHECK(deliver_all());
    CHECK(left_far() == 0);
    CHECK(sent("a").is_null());
    CHECK(sent("b")["sequence"] == 7);
}

TEST_CASE_METHOD(Deliveries,
                 "deliver: while nobody knows who we are, another boot's report stays") {
    we_are("b-2", "");
    put_far("b-1", 7, "a", "i-0123456789abcdef0");
    put_far("b-2", 1, "b", "i-0123456789abcdef0"); // this boot's own
    CHECK_FALSE(deliver_all());
    CHECK(left_far() == 1);
    CHECK(sent("a").is_null());
    CHECK(sent("b")["sequence"] == 1);
    REQUIRE(files.write(
        "/run/muster/report.json",
        json{{"boot_id", "b-2"}, {"sequence", 1}, {"instance", {{"id", "i-0123456789abcdef0"}}}}
            .dump()));
    CHECK(deliver_all());
    CHECK(left_far() == 0);
    CHECK(sent("a")["sequence"] == 7);
}

TEST_CASE_METHOD(Deliveries,
                 "deliver: what can't be sent is kept for after a reboot, unless observing") {
    put("b-1", 2, "a");
    block("a");
    config.mode = Mode::observe;
    CHECK_FALSE(deliver_all());
    CHECK(left_far() == 0);
    config.mode = Mode::enforce;
    CHECK_FALSE(deliver_all());
    CHECK(left() == 1);
    CHECK(left_far() == 1);
}

TEST_CASE_METHOD(Deliveries,
                 "deliver: another process that sends to a sink is waited for, in time") {
    put("b-1", 2, "a");
    put("b-1", 2, "b");
    {
        const auto lock = Spool(files).lock("a");
        REQUIRE(lock);
        CHECK_FALSE(deliver());
        CHECK(clock.elapsed() <= config.report.deadline + 1s);
        CHECK(sent("a").is_null());
        CHECK(sent("b")["sequence"] == 2);
    }
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 2);
}

TEST_CASE_METHOD(Deliveries,
                 "deliver: what another process sent while its lock was waited for is sent") {
    put("b-1", 2, "a");
    const auto lock = Spool(files).lock("a");
    REQUIRE(lock);
    clock.meanwhile = [&] { fs::remove_all(path / "run/muster/spool"); };
    CHECK(deliver());
    CHECK(sent("a").is_null()); // not by us
}

TEST_CASE_METHOD(Deliveries, "deliver: what a sink that acts may have") {
    const Here here{.boot_id = "b-2", .instance_id = "i-1"};
    const auto allowed = [&](const std::string& body) {
        return may_be_acted_on({.message = {.body = body, .key = ""}}, here);
    };
    CHECK(allowed(R"({"boot_id":"b-2","outcome":"failed"})"));
    CHECK(allowed(R"({"boot_id":"b-2","outcome":"ready","instance":{"id":"i-1"}})"));
    CHECK_FALSE(allowed(R"({"boot_id":"b-2","outcome":"ready","instance":{"id":"i-2"}})"));
    CHECK_FALSE(allowed(R"({"boot_id":"b-1","outcome":"failed"})"));
    CHECK_FALSE(allowed(R"({"outcome":"failed"})"));
    CHECK_FALSE(allowed(R"({"boot_id":"b-2","outcome":"degraded"})"));
    CHECK_FALSE(allowed(R"({"boot_id":"b-2","outcome":"failed","superseded":true})"));
    CHECK_FALSE(allowed("{"));
}
