#include "agent/record.h"

#include <algorithm>

#include "agent/sys/json_text.h"

namespace muster {
namespace {

using Json = nlohmann::json;

Json to_json(const Instance& instance) {
    return {{"id", instance.id},        {"type", instance.type},       {"region", instance.region},
            {"zone", instance.zone},    {"account", instance.account}, {"image", instance.image},
            {"source", instance.source}};
}

Instance instance_from(const Json& json) {
    return {.id = json.at("id"),
            .type = json.at("type"),
            .region = json.at("region"),
            .zone = json.at("zone"),
            .account = json.at("account"),
            .image = json.at("image"),
            .source = json.at("source")};
}

Json to_json(const probes::MetadataCounters& counters) {
    return {{"requests", counters.requests}, {"retries", counters.retries},
            {"empty", counters.empty},       {"disagreements", counters.disagreements},
            {"failures", counters.failures}, {"imdsv1", counters.imdsv1}};
}

probes::MetadataCounters counters_from(const Json& json) {
    return {.requests = json.at("requests"),
            .retries = json.at("retries"),
            .empty = json.at("empty"),
            .disagreements = json.at("disagreements"),
            .failures = json.at("failures").get<std::map<std::string, unsigned>>(),
            .imdsv1 = json.at("imdsv1")};
}

void end_stage(std::vector<Stage>& stages, const Json& event) {
    const std::string name = event.at("stage");
    const auto open = std::find_if(stages.rbegin(), stages.rend(), [&](const Stage& stage) {
        return stage.name == name && !stage.end;
    });
    if (open == stages.rend()) return;
    open->end = event.at("at");
    open->error = event.at("error");
}

} // namespace

void Record::add(const Json& event) try {
    const std::string kind = event.at("event");
    if (kind != "waiting") waiting.reset();
    if (kind == "begin") {
        timings.push_back(
            {.name = event.at("stage"), .start = event.at("at"), .end = {}, .error = ""});
    } else if (kind == "end") {
        end_stage(timings, event);
    } else if (kind == "finding") {
        findings.push_back(event.at("finding").get<probes::Finding>());
    } else if (kind == "wait") {
        waits.push_back(event.at("wait").get<probes::Wait>());
    } else if (kind == "waiting") {
        waiting = Waiting{.what = event.at("what"), .until = event.at("until")};
    } else if (kind == "instance") {
        instance = instance_from(event.at("instance"));
    } else if (kind == "metadata") {
        metadata = counters_from(event.at("metadata"));
    } else if (kind == "storage") {
        storage = event.at("storage");
    } else if (kind == "without data") {
        without_data = event.at("proved");
    } else if (kind == "storage ready") {
        storage_ready = true;
    } else if (kind == "finished") {
        finished = true;
    }
} catch (const Json::exception&) { // NOLINT(bugprone-empty-catch): see the declaration
}

std::string encoded(const Json& event, std::size_t most) {
    auto text = to_text(event);
    if (text.size() <= most) return text;
    auto kept = event;
    if (event.value("event", "") == "finding") {
        auto& finding = kept["finding"];
        finding["evidence"] = Json::object();
        // A byte may take six of them ("\u0001").
        auto& message = finding["message"].get_ref<std::string&>();
        message = message.substr(0, most / 8);
        text = to_text(kept);
        if (text.size() <= most) return text;
    }
    auto lost = probes::failed("agent", "boot job", "internal",
                               "something was found that is too long to be told");
    lost.gating = event.value("event", "") == "finding";
    return to_text(Json{{"event", "finding"}, {"finding", lost}, {"at", event.value("at", 0.0)}});
}

void Progress::emit(Json event) {
    const std::lock_guard guard(mutex_);
    event["at"] = seconds(clock_.now() - start_);
    emit_(event);
}

void Progress::begin(const std::string& stage) {
    emit({{"event", "begin"}, {"stage", stage}});
}

void Progress::end(const std::string& stage, const std::string& error) {
    emit({{"event", "end"}, {"stage", stage}, {"error", error}});
}

void Progress::finding(const probes::Finding& finding) {
    if (finding.gating && finding.status != probes::Status::pass) {
        const std::lock_guard guard(mutex_);
        if (!obstacle_)
            obstacle_ = finding.check + " " + finding.subject + " (" + finding.code + ")";
    }
    emit({{"event", "finding"}, {"finding", finding}});
}

void Progress::wait(const probes::Wait& wait) {
    emit({{"event", "wait"}, {"wait", wait}});
}

void Progress::waiting(std::string_view what, Instant until) {
    emit({{"event", "waiting"}, {"what", what}, {"until", seconds(until - start_)}});
}

void Progress::instance(const Instance& instance) {
    emit({{"event", "instance"}, {"instance", to_json(instance)}});
}

void Progress::metadata(const probes::MetadataCounters& counters) {
    emit({{"event", "metadata"}, {"metadata", to_json(counters)}});
}

void Progress::storage(const Json& storage) {
    emit({{"event", "storage"}, {"storage", storage}});
}

void Progress::without_data(bool proved) {
    emit({{"event", "without data"}, {"proved", proved}});
}

void Progress::storage_ready() {
    emit({{"event", "storage ready"}});
}

void Progress::finished() {
    emit({{"event", "finished"}});
}

std::optional<std::string> Progress::obstacle() const {
    const std::lock_guard guard(mutex_);
    return obstacle_;
}

} // namespace muster
