#include "agent/watch/metrics.h"

#include <fmt/format.h>
#include <map>

namespace muster {
namespace {

using probes::Finding;

/// In a label's value these three have a backslash in front (Prometheus' text format).
std::string escaped(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\\' || c == '"') safe += '\\';
        safe += c == '\n' ? "\\n" : std::string(1, c);
    }
    return safe;
}

std::string head(std::string_view name, std::string_view type, std::string_view help) {
    return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

std::string lone(std::string_view name, std::string_view type, std::string_view help,
                 const std::string& value) {
    return head(name, type, help) + fmt::format("{} {}\n", name, value);
}

/// A sample that is there twice makes the collector refuse the whole file.
std::string checks(const std::vector<Finding>& findings) {
    std::map<std::pair<std::string, std::string>, bool> well;
    for (const auto& finding : findings) {
        const bool passes = finding.status == probes::Status::pass;
        const auto [known, first] = well.try_emplace({finding.check, finding.subject}, passes);
        known->second = known->second && passes;
    }
    if (well.empty()) return "";
    std::string text = head("muster_check_status", "gauge",
                            "1: the last look at it passed; 0: it failed or can't be told.");
    for (const auto& [name, passes] : well) {
        text += fmt::format("muster_check_status{{check=\"{}\",subject=\"{}\"}} {}\n",
                            escaped(name.first), escaped(name.second), passes ? 1 : 0);
    }
    return text;
}

} // namespace

std::string metrics_text(const Numbers& numbers) {
    std::string text =
        lone("muster_up", "gauge", "1: muster watch runs; 0: it was told to stop.",
             numbers.up ? "1" : "0") +
        checks(numbers.findings) +
        lone("muster_degraded", "gauge", "1: something is bad and has been for some looks.",
             numbers.degraded ? "1" : "0");
    if (numbers.last_look) {
        const auto milliseconds = numbers.last_look->time_since_epoch().count();
        text += lone("muster_last_look_timestamp_seconds", "gauge", "When the last look ended.",
                     fmt::format("{}.{:03}", milliseconds / 1000, milliseconds % 1000));
    }
    return text +
           lone("muster_reports_delivered_total", "counter", "Reports delivered, each sink's.",
                std::to_string(numbers.delivered)) +
           lone("muster_reports_undelivered", "gauge",
                "Reports that wait for their sink, or were refused by it.",
                std::to_string(numbers.undelivered)) +
           lone("muster_metadata_requests_total", "counter",
                "Requests to the instance metadata service, those for tokens too.",
                std::to_string(numbers.metadata_requests));
}

} // namespace muster
