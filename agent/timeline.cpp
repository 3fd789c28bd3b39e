#include "agent/timeline.h"

#include <algorithm>
#include <fmt/format.h>

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr unsigned number_width = 15; // " 12.34    0.56 "

std::string text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "-";
}

double number_of(const Json& json, const char* key, double otherwise) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number() ? found->get<double>() : otherwise;
}

std::string bar(double start, double end, double whole, unsigned width) {
    const auto column = [&](double at) {
        return static_cast<unsigned>(at / whole * static_cast<double>(width));
    };
    const unsigned from = std::min(column(start), width - 1);
    const unsigned to = std::clamp(column(end), from + 1, width);
    return std::string(from, ' ') + std::string(to - from, '#') + std::string(width - to, ' ');
}

} // namespace

std::string draw_timeline(const Json& report, unsigned width) {
    const auto stages = report.value("timings", Json::array());
    if (stages.empty()) return "";
    double whole = 0.001;
    for (const auto& stage : stages) {
        whole = std::max(whole, number_of(stage, "end", number_of(stage, "start", 0)));
    }
    const unsigned bars = width / 2 - number_width;
    const unsigned names = width - bars - number_width - 3;
    std::string text =
        fmt::format("{:<{}} {:>6} {:>7}\n", "stage", bars + names + 3, "at s", "took s");
    for (const auto& stage : stages) {
        const double start = number_of(stage, "start", 0);
        const double end = number_of(stage, "end", whole);
        auto name = text_of(stage, "stage");
        if (name.size() > names) name = name.substr(0, names - 2) + "..";
        text += fmt::format(
            "{:<{}} |{}| {:>5.2f} {:>7}\n", name, names, bar(start, end, whole, bars), start,
            stage.contains("end") && stage["end"].is_number() ? fmt::format("{:.2f}", end - start)
                                                              : "open");
    }
    return text;
}

std::string describe_report(const Json& report) {
    const auto instance = report.value("instance", Json::object());
    std::string text = fmt::format("{} {}, {}\n", text_of(instance, "id"),
                                   text_of(report, "outcome"), text_of(report, "time"));
    if (const auto reason = report.find("reason"); reason != report.end()) {
        text += fmt::format("reason: {}: {}\nrecreate: {}\n", text_of(*reason, "code"),
                            text_of(*reason, "message"),
                            report.value("recreate", false) ? "yes" : "no");
    }
    for (const auto& finding : report.value("findings", Json::array())) {
        text += fmt::format("  {:<7} {} {}: {}\n", text_of(finding, "status"),
                            text_of(finding, "check"), text_of(finding, "subject"),
                            text_of(finding, "message"));
    }
    for (const auto& wait : report.value("waits", Json::array())) {
        text +=
            fmt::format("  waited  {:.2f} s for {} ({} looks): {}\n", number_of(wait, "seconds", 0),
                        text_of(wait, "for"), wait.value("polls", 0), text_of(wait, "outcome"));
    }
    if (const auto counters = report.find("metadata"); counters != report.end()) {
        text += fmt::format("metadata: {} requests, {} retries, {} empty, {} disagreements",
                            counters->value("requests", 0), counters->value("retries", 0),
                            counters->value("empty", 0), counters->value("disagreements", 0));
        const auto failures = counters->value("failures", Json::object());
        for (const auto& [why, count] : failures.items()) {
            text += fmt::format(", {} times {}", count.get<unsigned>(), why);
        }
        text += "\n";
    }
    return text;
}

} // namespace muster
