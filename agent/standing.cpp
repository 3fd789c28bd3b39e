#include "agent/standing.h"

#include <utility>

#include "agent/report.h"
#include "agent/sys/fields.h"
#include "agent/sys/json_text.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr auto look_again = std::chrono::milliseconds(200);
constexpr double grace = 60; // seconds

std::optional<double> promised_by(const Json& status) {
    const auto& found = fields::member(status, "verdict_by_uptime");
    if (!found.is_number()) return std::nullopt;
    return found.get<double>();
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
    if (written) {
        kept_ = std::move(text);
        failing_ = false;
    } else if (!std::exchange(failing_, true)) { // tried again at each look, and said once
        log::error("can't be kept", {{"error", written.error().message}});
    }
}

Json read_status(const Files& files) {
    const auto text = files.read(status_file);
    return text ? parse_json(*text) : Json();
}

std::optional<bool> is_reached(const Json& status, Milestone milestone) {
    const auto outcome = fields::text(status, "outcome");
    if (milestone == Milestone::storage && fields::flag(status, "storage_ready", false))
        return true;
    if (outcome == "ready") return true;
    if (outcome == "failed") return !fields::flag(status, "enforced", true);
    return std::nullopt;
}

Instance instance_of(const Json& status) {
    const auto& instance = fields::member(status, "instance");
    return {.id = fields::text(instance, "id"),
            .type = fields::text(instance, "type"),
            .region = fields::text(instance, "region"),
            .zone = fields::text(instance, "zone"),
            .account = fields::text(instance, "account"),
            .image = fields::text(instance, "image"),
            .source = fields::text(instance, "source")};
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
