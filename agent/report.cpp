#include "agent/report.h"

#include <cmath>
#include <fmt/format.h>

#include "agent/sys/json_text.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

double rounded(double seconds) {
    return std::round(seconds * 1000) / 1000;
}

OrderedJson optional_text(const std::string& text) {
    return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

OrderedJson instance_json(const Instance& instance) {
    return {{"id", optional_text(instance.id)},           {"type", optional_text(instance.type)},
            {"region", optional_text(instance.region)},   {"zone", optional_text(instance.zone)},
            {"account", optional_text(instance.account)}, {"image", optional_text(instance.image)},
            {"source", optional_text(instance.source)}};
}

OrderedJson head_json(const ReportHead& head, const Record& record, std::string_view outcome) {
    return {{"schema", "muster.report/1"},
            {"outcome", outcome},
            {"recreate", false},
            {"enforced", head.enforced},
            {"instance", instance_json(record.instance)},
            {"boot_id", head.boot_id},
            {"sequence", head.sequence},
            {"time", to_rfc3339(head.time)},
            {"agent", "muster/" MUSTER_VERSION}};
}

OrderedJson findings_json(const std::vector<probes::Finding>& findings) {
    OrderedJson list = OrderedJson::array();
    for (const auto& finding : findings) {
        OrderedJson json = {{"check", finding.check},
                            {"subject", finding.subject},
                            {"status", probes::to_string(finding.status)},
                            {"gating", finding.gating}};
        if (!finding.code.empty()) json["code"] = finding.code;
        json["message"] = finding.message;
        if (!finding.evidence.empty()) json["evidence"] = finding.evidence;
        list.push_back(std::move(json));
    }
    return list;
}

OrderedJson timings_json(const std::vector<Stage>& stages) {
    OrderedJson list = OrderedJson::array();
    for (const auto& stage : stages) {
        OrderedJson json = {{"stage", stage.name}, {"start", rounded(stage.start)}};
        json["end"] = stage.end ? OrderedJson(rounded(*stage.end)) : OrderedJson(nullptr);
        if (!stage.error.empty()) json["error"] = stage.error;
        list.push_back(std::move(json));
    }
    return list;
}

OrderedJson waits_json(const std::vector<probes::Wait>& waits) {
    OrderedJson list = OrderedJson::array();
    for (const auto& wait : waits) {
        list.push_back({{"for", wait.what},
                        {"seconds", rounded(wait.seconds)},
                        {"polls", wait.polls},
                        {"outcome", wait.outcome}});
    }
    return list;
}

void shorten(OrderedJson& text, std::size_t most) {
    auto& bytes = text.get_ref<std::string&>();
    if (bytes.size() > most) bytes = bytes.substr(0, most) + "...";
}

} // namespace

OrderedJson in_progress_report(const ReportHead& head, const Record& record, WallTime verdict_by) {
    OrderedJson report = head_json(head, record, "in-progress");
    report["verdict_by"] = to_rfc3339(verdict_by);
    return report;
}

OrderedJson verdict_report(const ReportHead& head, const Record& record, const Verdict& verdict) {
    OrderedJson report = head_json(head, record, verdict.ready ? "ready" : "failed");
    report["recreate"] = verdict.recreate;
    if (!verdict.ready) report["reason"] = {{"code", verdict.code}, {"message", verdict.message}};
    report["findings"] = findings_json(record.findings);
    report["storage"] = record.storage;
    report["uptime_at_start"] = rounded(head.uptime_at_start);
    report["timings"] = timings_json(record.timings);
    report["waits"] = waits_json(record.waits);
    const auto& counters = record.metadata;
    report["metadata"] = {{"requests", counters.requests},
                          {"retries", counters.retries},
                          {"empty", counters.empty},
                          {"disagreements", counters.disagreements},
                          {"failures", counters.failures}};
    if (counters.imdsv1) report["metadata"]["imdsv1"] = true;
    return report;
}

OrderedJson degraded_report(const ReportHead& head, const Record& record, const Verdict& why) {
    OrderedJson report = head_json(head, record, "degraded");
    report["reason"] = {{"code", why.code}, {"message", why.message}};
    report["findings"] = findings_json(record.findings);
    return report;
}

OrderedJson recovered_report(const ReportHead& head, const Record& record) {
    OrderedJson report = head_json(head, record, "recovered");
    report["findings"] = findings_json(record.findings);
    return report;
}

OrderedJson notice_report(const ReportHead& head, const Record& record, const OrderedJson& notice) {
    OrderedJson report = head_json(head, record, "notice");
    report["notice"] = notice;
    return report;
}

OrderedJson stopping_report(const ReportHead& head, const Record& record) {
    return head_json(head, record, "stopping");
}

OrderedJson test_report(const ReportHead& head, const Record& record) {
    return head_json(head, record, "test");
}

std::string serialized(OrderedJson report) {
    std::string text = to_text(report);
    if (text.size() <= max_report) return text;
    report["truncated"] = true;
    for (auto& finding : report["findings"])
        finding.erase("evidence");
    text = to_text(report);
    if (text.size() <= max_report) return text;
    OrderedJson kept = OrderedJson::array();
    for (auto& finding : report["findings"]) {
        if (finding["status"] == "pass" || kept.size() == 50) continue;
        shorten(finding["subject"], 100);
        shorten(finding["message"], 500);
        kept.push_back(std::move(finding));
    }
    report["findings"] = std::move(kept);
    report["timings"] = OrderedJson::array();
    report["storage"] = OrderedJson::object();
    report["waits"] = OrderedJson::array();
    if (report.contains("reason")) shorten(report["reason"]["message"], 2000);
    text = to_text(report);
    // A byte may take six of them ("\u0001").
    while (text.size() > max_report && !report["findings"].empty()) {
        report["findings"].erase(report["findings"].size() - 1);
        text = to_text(report);
    }
    return text;
}

std::string idempotency_key(const OrderedJson& report) {
    const auto& id = report["instance"]["id"];
    return fmt::format("{}/{}/{}", id.is_string() ? id.get<std::string>() : "unknown",
                       report["boot_id"].get<std::string>(), report["sequence"].get<unsigned>());
}

} // namespace muster
