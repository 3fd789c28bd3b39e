#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/deliver.h"
#include "agent/leftovers.h"
#include "agent/spool.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Fixture {
    Fixture() {
        std::string name = "/tmp/muster-deliver.XXXXXX";
        path = ::mkdtemp(name.data());
        files = Files(path);
        for (const char* sink : {"a", "b"}) {
            config.report.to.push_back({.name = sink,
                                        .type = SinkConfig::Type::file,
                                        .path = std::string("/sinks/") + sink});
        }
    }
    ~Fixture() { fs::remove_all(path); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

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
    [[nodiscard]] bool deliver() { return empty_spool(files, clock, config); }
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

    fs::path path;
    Files files{"/"};
    FakeClock clock;
    Config config;
};

} // namespace

TEST_CASE_METHOD(Fixture, "deliver: an empty spool is a delivered one") {
    CHECK(deliver());
}

TEST_CASE_METHOD(Fixture, "deliver: each entry to its sink, and gone") {
    put("b-1", 2, "a");
    put("b-1", 2, "b");
    latest("b-1", 2);
    CHECK(deliver());
    CHECK(left() == 0);
    CHECK(sent("a")["sequence"] == 2);
    CHECK(sent("b")["sequence"] == 2);
    CHECK_FALSE(sent("a").contains("superseded")); // it is the latest
}

TEST_CASE_METHOD(Fixture, "deliver: in order, and all but the latest say that they are not") {
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

TEST_CASE_METHOD(Fixture, "deliver: a failed boot is not made void by what watch says later") {
    put("b-1", 4, "a", 1min, "failed");
    put("b-1", 5, "a", 1min, "degraded");
    latest("b-1", 4);
    const auto failed = read_leftovers(files, clock).entries.at(0).message.body;
    CHECK_FALSE(json::parse(failed).contains("superseded"));
    put("b-1", 6, "a", 1min, "ready");
    for (const std::size_t i : {0U, 1U})
        CHECK(json::parse(read_leftovers(files, clock).entries.at(i).message.body)["superseded"]);
}

TEST_CASE_METHOD(Fixture, "deliver: a report.json that can't be used changes nothing") {
    for (const char* text : {"{", "[]", "{}", R"({"boot_id": 3, "sequence": 9})",
                             R"({"boot_id": "b-1", "sequence": -9})"}) {
        REQUIRE(files.write("/run/muster/report.json", text));
        put("b-1", 4, "a");
        CHECK(deliver());
        CHECK_FALSE(sent("a").contains("superseded"));
    }
}

TEST_CASE_METHOD(Fixture, "deliver: a sink that fails keeps its entries and no other's") {
    put("b-1", 2, "a");
    put("b-1", 2, "b");
    block("a");
    CHECK_FALSE(deliver());
    CHECK(left() == 1);
    CHECK(sent("b")["sequence"] == 2);
    CHECK(clock.elapsed() <= config.report.deadline);
}

TEST_CASE_METHOD(Fixture, "deliver: no such sink any more") {
    put("b-1", 2, "gone");
    put("b-1", 2, "b");
    CHECK_FALSE(deliver());
    CHECK(left() == 1);
    CHECK(sent("b")["sequence"] == 2);
}

TEST_CASE_METHOD(Fixture, "deliver: a day is the limit") {
    put("b-1", 2, "a", 24h + 1s);
    CHECK(deliver());
    CHECK(left() == 0);
    CHECK(sent("a").is_null());
    put("b-1", 3, "a", 24h - 1s);
    CHECK(deliver());
    CHECK(sent("a")["sequence"] == 3);
}

TEST_CASE_METHOD(Fixture, "deliver: what can't be understood goes, what can't be read stays") {
    fs::create_directories(path / "run/muster/spool/folder.json");
    std::ofstream(path / "run/muster/spool/bad.json") << "{";
    put("b-1", 2, "a");
    CHECK_FALSE(deliver());
    CHECK(sent("a")["sequence"] == 2);
    CHECK(left() == 1);
}
