#include <thread>

#include "agent/record.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Told {
    FakeClock clock;
    Record record;
    std::vector<json> events;
    Progress progress{clock, clock.now(), [this](const json& event) {
                          events.push_back(event);
                          // As the worker's pipe gives it back.
                          record.add(json::parse(event.dump()));
                      }};
};

} // namespace

TEST_CASE("record: what is told is what is known") {
    Told told;
    told.clock.advance(1500ms);
    told.progress.begin("metadata");
    told.clock.advance(2s);
    told.progress.end("metadata");
    told.progress.instance({.id = "i-1",
                            .type = "m5.large",
                            .region = "r",
                            .zone = "ra",
                            .account = "123456789012",
                            .image = "ami-1",
                            .source = "metadata"});
    probes::MetadataCounters counters{
        .requests = 9, .retries = 3, .empty = 2, .disagreements = 1, .failures = {{"http 503", 2}}};
    told.progress.metadata(counters);
    auto finding = probes::failed("ebs", "data", "ebs-missing", "gone");
    finding.evidence = {{"size", 3}};
    finding.gating = false;
    told.progress.finding(finding);
    told.progress.wait({.what = "ebs data", .seconds = 1.25, .polls = 7, .outcome = "gave up"});
    told.progress.storage({{"volume_group", "muster"}});
    CHECK_FALSE(told.record.without_data);
    told.progress.without_data(true);
    CHECK(told.record.without_data);
    told.progress.without_data(false);
    CHECK_FALSE(told.record.without_data);

    const auto& record = told.record;
    REQUIRE(record.timings.size() == 1);
    CHECK(record.timings[0].name == "metadata");
    CHECK(record.timings[0].start == 1.5);
    CHECK(record.timings[0].end == 3.5);
    CHECK(record.timings[0].error.empty());
    CHECK(record.instance.id == "i-1");
    CHECK(record.instance.account == "123456789012");
    CHECK(record.instance.source == "metadata");
    CHECK(record.metadata.requests == 9);
    CHECK(record.metadata.retries == 3);
    CHECK(record.metadata.empty == 2);
    CHECK(record.metadata.disagreements == 1);
    CHECK(record.metadata.failures == counters.failures);
    REQUIRE(record.findings.size() == 1);
    CHECK(record.findings[0].status == probes::Status::fail);
    CHECK(record.findings[0].code == "ebs-missing");
    CHECK_FALSE(record.findings[0].gating);
    CHECK(record.findings[0].evidence == finding.evidence);
    REQUIRE(record.waits.size() == 1);
    CHECK(record.waits[0].seconds == 1.25);
    CHECK(record.waits[0].polls == 7);
    CHECK(record.storage["volume_group"] == "muster");
    CHECK_FALSE(record.finished);
    told.progress.finished();
    CHECK(record.finished);
}

TEST_CASE("record: a check's own advice comes through, and is nowhere else") {
    Told told;
    auto finding = probes::failed("check", "a", "check-failed", "no");
    told.progress.finding(finding);
    finding.recreate = true;
    told.progress.finding(finding);
    REQUIRE(told.record.findings.size() == 2);
    CHECK_FALSE(told.record.findings[0].recreate);
    CHECK(told.record.findings[1].recreate);
    CHECK_FALSE(told.events[0]["finding"].contains("recreate"));
}

TEST_CASE("record: the first that is not well is the obstacle") {
    Told told;
    told.progress.finding(probes::pass("root", "mount", "well"));
    auto hint = probes::failed("config", "x", "config-unknown-key", "?");
    hint.gating = false;
    told.progress.finding(hint);
    CHECK_FALSE(told.progress.obstacle());
    told.progress.finding(probes::unknown("ebs", "data", "?"));
    CHECK(told.progress.obstacle() == "ebs data (cannot-tell)");
    told.progress.finding(probes::failed("root", "bytes", "root-full", "?"));
    CHECK(told.progress.obstacle() == "ebs data (cannot-tell)");
}

TEST_CASE("record: stages nest, repeat, fail and stay open") {
    Told told;
    told.progress.begin("mkfs");
    told.progress.begin("mkfs");
    told.clock.advance(1s);
    told.progress.end("mkfs", "no space"); // the later one
    told.progress.end("never begun");
    {
        const StageScope scope(told.progress, "root");
        told.clock.advance(1s);
    }
    const auto& stages = told.record.timings;
    REQUIRE(stages.size() == 3);
    CHECK_FALSE(stages[0].end);
    CHECK(stages[1].end == 1.0);
    CHECK(stages[1].error == "no space");
    CHECK(stages[2].end == 2.0);
}

TEST_CASE("record: what is waited for is forgotten with the next event") {
    Told told;
    told.progress.waiting("EBS volume data", told.clock.now() + 90s);
    REQUIRE(told.record.waiting);
    CHECK(told.record.waiting->what == "EBS volume data");
    CHECK(told.record.waiting->until == 90);
    told.progress.begin("x");
    CHECK_FALSE(told.record.waiting);
}

TEST_CASE("record: an event that can't be understood is passed over, all the rest counts") {
    Told told;
    for (const char* text :
         {"{", "null", "3", "[]", "{}", R"({"event": 3})", R"({"event": "no such"})",
          R"({"event": "finding"})", R"({"event": "finding", "finding": {"check": "x"}})",
          R"({"event": "begin"})", R"({"event": "begin", "stage": 1, "at": 1})",
          R"({"event": "end", "stage": "x", "at": "y"})",
          R"({"event": "metadata", "metadata": {"requests": "many"}})",
          R"({"event": "instance", "instance": {"id": null}})",
          R"({"event": "without data", "proved": "yes"})", R"({"event": "without data"})",
          R"({"event": "waiting", "what": 1})"}) {
        INFO(text);
        CHECK_NOTHROW(told.record.add(json::parse(text, nullptr, false)));
    }
    CHECK(told.record.findings.empty());
    CHECK_FALSE(told.record.without_data);
    CHECK(told.record.timings.empty());
    CHECK(told.record.instance.id.empty());
    told.progress.finding(probes::pass("a", "b", "c"));
    CHECK(told.record.findings.size() == 1);
}

TEST_CASE("record: several threads tell at once") {
    const auto clock = make_system_clock();
    Record record;
    Progress progress(*clock, clock->now(), [&](const json& event) { record.add(event); });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 500; ++n)
                progress.finding(probes::pass("a", "b", "c"));
        });
    }
    for (auto& thread : threads)
        thread.join();
    CHECK(record.findings.size() == 2000);
}

TEST_CASE("record: a finding too long for one message loses its evidence, never its verdict") {
    auto finding =
        probes::failed("ephemeral", "nvme1n1", "ephemeral-io-error", std::string(200'000, '\x01'));
    finding.evidence = {{"log", std::string(200'000, 'x')}};
    Told told;
    told.progress.finding(finding);
    const auto text = encoded(told.events.front(), 128 << 10);
    CHECK(text.size() <= 128 << 10);
    Record record;
    record.add(json::parse(text));
    REQUIRE(record.findings.size() == 1);
    CHECK(record.findings[0].code == "ephemeral-io-error");
    CHECK(record.findings[0].status == probes::Status::fail);
    CHECK(record.findings[0].gating);
    CHECK(record.findings[0].message.size() > 100);

    // What fits is left alone; bytes that are no UTF-8 are replaced.
    CHECK(json::parse(encoded({{"event", "begin"}, {"stage", "x"}}, 100))["stage"] == "x");
    CHECK(json::parse(encoded({{"a", "\xff"}}, 100))["a"] == "\xef\xbf\xbd");
    // Anything else is told as a mistake of ours: nobody shall take silence for "well".
    record = {};
    record.add(
        json::parse(encoded({{"event", "storage"}, {"storage", std::string(999, 'x')}}, 500)));
    REQUIRE(record.findings.size() == 1);
    CHECK(record.findings[0].code == "internal");
    CHECK_FALSE(record.findings[0].gating);
}
