#include "agent/standing.h"

#include "agent/report.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr auto look_again = std::chrono::milliseconds(200);
constexpr double grace = 60; // seconds

std::string text_of(const Json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

bool flag_of(const Json& json, const char* key, bool otherwise) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

std::optional<double> promised_by(const Json& status) {
    const auto found = status.is_object() ? status.find("verdict_by_uptime") : status.end();
    if (found == status.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
}

} // namespace

void Standing::keep(const Record& record, bool enforced, Instant until) {
    ReportHead head;
    head.enforced = enforced;
    auto status = in_progress_report(head, record, {});
    // They are those of a message, and this is none.
    for (const char* key : {"boot_id", "sequence", "time", "verdict_by"})
        status.erase(key);
    // By the kernel's clock: the wall clock may be set meanwhile, by years.
    status["verdict_by_uptime"] = seconds(until.time_since_epoch());
    status["storage_ready"] = record.storage_ready;
    auto text = serialized(status) + "\n";
    if (text == kept_) return;
    const auto written = files_.write(status_file, text);
    if (!written) log::error("can't be kept", {{"error", written.error().message}});
    kept_ = std::move(text);
}

Json read_status(const Files& files) {
    const auto text = files.read(status_file);
    return text ? Json::parse(*text, nullptr, false) : Json();
}

std::optional<bool> is_reached(const Json& status, Milestone milestone) {
    const auto outcome = text_of(status, "outcome");
    if (milestone == Milestone::storage && flag_of(status, "storage_ready", false)) return true;
    if (outcome == "ready") return true;
    if (outcome == "failed") return !flag_of(status, "enforced", true);
    return std::nullopt;
}

Instance instance_of(const Json& status) {
    const auto found = status.is_object() ? status.find("instance") : status.end();
    const Json instance = found == status.end() ? Json() : *found;
    return {.id = text_of(instance, "id"),
            .type = text_of(instance, "type"),
            .region = text_of(instance, "region"),
            .zone = text_of(instance, "zone"),
            .account = text_of(instance, "account"),
            .image = text_of(instance, "image"),
            .source = text_of(instance, "source")};
}

bool wait_for(Milestone milestone, const Files& files, Clock& clock) {
    const double begun = seconds(clock.now().time_since_epoch());
    while (true) {
        const auto status = read_status(files);
        if (const auto answer = is_reached(status, milestone)) return *answer;
        if (seconds(clock.now().time_since_epoch()) > promised_by(status).value_or(begun) + grace) {
            log::error(promised_by(status) ? "the verdict is overdue" : "muster run has not begun");
            return false;
        }
        clock.sleep_until(clock.now() + look_again);
    }
}

} // namespace muster
