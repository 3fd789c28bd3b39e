#include "agent/report.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

namespace {

const WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 12h + 345ms};
const ReportHead head{.boot_id = "b-1", .sequence = 7, .time = noon, .uptime_at_start = 3.14159};
const Verdict ready{.ready = true, .recreate = false, .code = "", .message = ""};
const Verdict missing{.ready = false, .recreate = true, .code = "ebs-missing", .message = "gone"};

Record some_record() {
    Record record;
    record.instance = {.id = "i-1", .type = "m5.large", .source = "metadata"};
    record.findings.push_back(probes::pass("root", "mount", "well"));
    auto finding = probes::failed("ebs", "data", "ebs-missing", "gone");
    finding.evidence = {{"polls", 3}};
    record.findings.push_back(finding);
    record.timings.push_back({.name = "metadata", .start = 0.12345, .end = 1.5, .error = ""});
    record.timings.push_back({.name = "ebs", .start = 2, .end = {}, .error = "stuck"});
    record.waits.push_back({.what = "ebs data", .seconds = 1.23456, .polls = 9, .outcome = "x"});
    record.metadata = {
        .requests = 5, .retries = 4, .empty = 3, .disagreements = 2, .failures = {{"refused", 1}}};
    return record;
}

/// A report of many findings, none like another.
Json large(std::size_t count, const std::string& message, probes::Status status) {
    Record record;
    for (std::size_t i = 0; i < count; ++i) {
        auto finding = probes::failed("ebs", "volume-" + std::to_string(i), "ebs-missing", message);
        finding.status = status;
        finding.evidence = {{"log", std::string(100, 'e')}};
        record.findings.push_back(finding);
    }
    return verdict_report(head, record, missing);
}

} // namespace

TEST_CASE("report: in-progress") {
    const auto report = in_progress_report(head, some_record(), noon + 300s);
    CHECK(report["schema"] == "muster.report/1");
    CHECK(report["outcome"] == "in-progress");
    CHECK(report["verdict_by"] == "2026-11-21T12:05:00.345Z");
    CHECK(report["recreate"] == false);
    CHECK(report["instance"]["id"] == "i-1");
    CHECK(report["instance"]["zone"] == nullptr); // unknown is not an empty text
    CHECK_FALSE(report.contains("findings"));
    CHECK_FALSE(report.contains("reason"));
}

TEST_CASE("report: a verdict with all that is known") {
    auto report = verdict_report(head, some_record(), missing);
    CHECK(report["outcome"] == "failed");
    CHECK(report["recreate"] == true);
    CHECK(report["enforced"] == true);
    CHECK(report["reason"] == Json{{"code", "ebs-missing"}, {"message", "gone"}});
    CHECK(report["boot_id"] == "b-1");
    CHECK(report["sequence"] == 7);
    CHECK(report["time"] == "2026-11-21T12:00:00.345Z");
    CHECK(report["agent"].get<std::string>().starts_with("muster/"));
    CHECK(report["uptime_at_start"] == 3.142);
    CHECK_FALSE(report.contains("verdict_by"));
    CHECK_FALSE(report.contains("truncated"));
    REQUIRE(report["findings"].size() == 2);
    CHECK_FALSE(report["findings"][0].contains("code"));
    CHECK_FALSE(report["findings"][0].contains("evidence"));
    CHECK(report["findings"][1]["code"] == "ebs-missing");
    CHECK(report["findings"][1]["evidence"]["polls"] == 3);
    CHECK(report["timings"][0] == Json{{"stage", "metadata"}, {"start", 0.123}, {"end", 1.5}});
    CHECK(report["timings"][1] ==
          Json{{"stage", "ebs"}, {"start", 2.0}, {"end", nullptr}, {"error", "stuck"}});
    CHECK(report["waits"][0]["seconds"] == 1.235);
    CHECK(report["metadata"]["failures"] == Json{{"refused", 1}});
    CHECK(report["metadata"]["disagreements"] == 2);

    auto observed = head;
    observed.enforced = false;
    report = verdict_report(observed, {}, ready);
    CHECK(report["outcome"] == "ready");
    CHECK(report["enforced"] == false);
    CHECK_FALSE(report.contains("reason"));
    CHECK(report["instance"]["id"] == nullptr);
}

TEST_CASE("report: the key is instance, boot and sequence") {
    CHECK(idempotency_key(verdict_report(head, some_record(), ready)) == "i-1/b-1/7");
    CHECK(idempotency_key(verdict_report(head, {}, ready)) == "unknown/b-1/7");
    CHECK(idempotency_key(in_progress_report(head, some_record(), noon)) == "i-1/b-1/7");
}

TEST_CASE("report: bytes that are no UTF-8 are replaced, not thrown") {
    Record record;
    record.findings.push_back(probes::failed("ebs", "\xff\xfe", "ebs-missing", "caf\xc3"));
    const auto text = serialized(verdict_report(head, record, missing));
    CHECK(Json::parse(text)["findings"][0]["message"] == "caf\xef\xbf\xbd");
}

TEST_CASE("report: never more than 64 KiB, the verdict and its reason always in it") {
    using probes::Status;
    const std::string control(3000, '\x01'); // six bytes each once serialized
    struct Row {
        const char* name;
        Json report;
    };
    Json long_reason = large(60, control, Status::fail);
    long_reason["reason"]["message"] = std::string(100'000, '\x02');
    Json long_subjects = large(3, "x", Status::unknown);
    for (auto& finding : long_subjects["findings"])
        finding["subject"] = std::string(70'000, 's');
    Json many_timings = large(1, "x", Status::fail);
    for (int i = 0; i < 5000; ++i)
        many_timings["timings"].push_back({{"stage", "lvcreate"}, {"start", i}, {"end", i}});
    Json large_storage = large(1, "x", Status::fail);
    large_storage["storage"] = {{"devices", std::string(80'000, 'd')}};
    for (const auto& [name, report] :
         {Row{"evidence", large(500, "x", Status::fail)},
          Row{"many that passed", large(1000, "fine", Status::pass)},
          Row{"many failures", large(1000, "bad", Status::fail)},
          Row{"long messages", large(60, std::string(5000, 'm'), Status::fail)},
          Row{"messages that grow", large(60, control, Status::fail)},
          Row{"a reason that grows", long_reason}, Row{"subjects", long_subjects},
          Row{"timings", many_timings}, Row{"storage", large_storage}}) {
        INFO(name);
        const auto text = serialized(report);
        CHECK(text.size() <= max_report);
        const auto sent = Json::parse(text);
        CHECK(sent["truncated"] == true);
        CHECK(sent["outcome"] == "failed");
        CHECK(sent["recreate"] == true);
        CHECK(sent["reason"]["code"] == "ebs-missing");
        CHECK_FALSE(sent["reason"]["message"].get<std::string>().empty());
        for (const char* key : {"schema", "instance", "boot_id", "sequence", "time", "findings",
                                "storage", "timings", "waits", "metadata"}) {
            CHECK(sent.contains(key));
        }
    }
}

TEST_CASE("report: what is cut is cut in the order of its worth") {
    const auto evidence_only = Json::parse(serialized(large(300, "x", probes::Status::fail)));
    CHECK(evidence_only["findings"].size() == 300);
    CHECK_FALSE(evidence_only["findings"][0].contains("evidence"));
    auto mixed = large(800, "fine", probes::Status::pass);
    mixed["findings"][700]["status"] = "fail";
    mixed["findings"][701]["status"] = "unknown";
    const auto kept = Json::parse(serialized(mixed));
    REQUIRE(kept["findings"].size() == 2);
    CHECK(kept["findings"][0]["subject"] == "volume-700");
    // Just at the bound nothing is cut.
    auto exact = in_progress_report(head, {}, noon);
    exact["pad"] = "";
    exact["pad"] = std::string(max_report - exact.dump().size(), 'p');
    CHECK(serialized(exact).size() == max_report);
    CHECK_FALSE(Json::parse(serialized(exact)).contains("truncated"));
}
