#include "agent/timeline/timeline.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/fields.h"
#include "agent/timeline/bars.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr unsigned number_width = 15; // " 12.34    0.56 "

/// Waiting is dotted, work is solid; never nothing at all.
std::string drawn(const Bar& bar, double whole, unsigned width) {
    const auto column = [&](double at) {
        return static_cast<unsigned>(at / whole * static_cast<double>(width));
    };
    const unsigned from = std::min(column(bar.start), width - 1);
    const unsigned to = std::clamp(column(bar.end), from + 1, width);
    // A hundredth of a second of work is no column of it, unless there is nothing else to show.
    const bool is_all = bar.waited > 0 && bar.start + bar.waited >= bar.end;
    const unsigned waited = is_all ? to : std::clamp(column(bar.start + bar.waited), from, to);
    return std::string(from, ' ') + std::string(waited - from, '.') +
           std::string(to - waited, '#') + std::string(width - to, ' ');
}

std::string label(const Bar& bar, std::size_t width) {
    const auto note = bar.note.empty() ? "" : " (" + bar.note + ")";
    if (bar.name.size() + note.size() <= width) return bar.name + note;
    const auto kept = bar.name.substr(0, width - 2 - std::min(note.size(), width / 2));
    return (kept.size() < bar.name.size() ? kept + ".." : kept) + note.substr(0, width / 2);
}

} // namespace

std::string draw_timeline(const Json& report, unsigned width) {
    const auto bars = bars_of(report);
    if (bars.empty()) return "";
    const double whole = std::max(0.001, end_of(bars));
    const unsigned columns = width / 2 - number_width;
    const unsigned names = width - columns - number_width - 5;
    std::string text =
        fmt::format("  {:<{}} {:>6} {:>7}\n", "stage", columns + names + 3, "at s", "took s");
    for (const auto& bar : bars) {
        text += fmt::format("{} {:<{}} |{}| {:>5.2f} {:>7}\n", bar.critical ? '*' : ' ',
                            label(bar, names), names, drawn(bar, whole, columns), bar.start,
                            bar.open ? "open" : fmt::format("{:.2f}", bar.end - bar.start));
    }
    return text + "  * the end had to wait for it; . waiting, # work\n";
}

std::string describe_report(const Json& report) {
    const auto instance = report.value("instance", Json::object());
    std::string text = fmt::format("{} {}, {}\n", text_or_dash(instance, "id"),
                                   text_or_dash(report, "outcome"), text_or_dash(report, "time"));
    if (const auto reason = report.find("reason"); reason != report.end()) {
        text += fmt::format("reason: {}: {}\nrecreate: {}\n", text_or_dash(*reason, "code"),
                            text_or_dash(*reason, "message"),
                            report.value("recreate", false) ? "yes" : "no");
    }
    for (const auto& finding : report.value("findings", Json::array())) {
        text += fmt::format("  {:<7} {} {}: {}\n", text_or_dash(finding, "status"),
                            text_or_dash(finding, "check"), text_or_dash(finding, "subject"),
                            text_or_dash(finding, "message"));
    }
    for (const auto& wait : report.value("waits", Json::array())) {
        text += fmt::format("  waited  {:.2f} s for {} ({} looks): {}\n",
                            fields::number(wait, "seconds", 0), text_or_dash(wait, "for"),
                            wait.value("polls", 0), text_or_dash(wait, "outcome"));
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
