#include "agent/timeline/bars.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/fields.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr double longest = 48 * 3600; // seconds: no boot job takes longer
constexpr double rounding = 0.0015;   // times are told in milliseconds
constexpr std::size_t most_bars = 500;

double number_of(const Json& json, const char* key, double otherwise) {
    return std::clamp(fields::number(json, key, otherwise), 0.0, longest);
}

Json list_of(const Json& report, const char* key) {
    const auto found = report.find(key);
    return found != report.end() && found->is_array() ? *found : Json::array();
}

std::vector<Bar> stages_of(const Json& report) {
    std::vector<Bar> bars;
    for (const auto& stage : list_of(report, "timings")) {
        if (!stage.is_object() || bars.size() == most_bars) continue;
        const double start = number_of(stage, "start", 0);
        const auto end = stage.find("end");
        bars.push_back({.name = text_or_dash(stage, "stage"),
                        .start = start,
                        .end = std::max(start, number_of(stage, "end", start)),
                        .open = end == stage.end() || !end->is_number()});
    }
    for (auto& bar : bars) {
        if (bar.open) bar.end = end_of(bars);
    }
    return bars;
}

/// The stage in which something was waited for.
std::string stage_of(const std::string& wait) {
    if (wait.starts_with("ebs ")) return "ebs";
    return wait == "ephemeral disks" ? "disks" : wait;
}

void add_note(Bar& bar, const std::string& note) {
    bar.note += (bar.note.empty() ? "" : ", ") + note;
}

void mark_waits(const Json& report, std::vector<Bar>& bars) {
    for (const auto& wait : list_of(report, "waits")) {
        if (!wait.is_object()) continue;
        const auto bar = std::ranges::find(bars, stage_of(text_or_dash(wait, "for")), &Bar::name);
        if (bar == bars.end()) continue;
        const double seconds = std::min(number_of(wait, "seconds", 0), bar->end - bar->start);
        const bool longest_here = seconds >= bar->waited;
        bar->waited = std::max(bar->waited, seconds);
        // Of metadata not each request is a look for it; its retries are counted apart.
        const double looks = bar->name == "metadata" ? 0 : number_of(wait, "polls", 0);
        if (longest_here) bar->note = looks > 1 ? fmt::format("{:.0f} looks", looks) : "";
        if (longest_here && text_or_dash(wait, "outcome") == "gave up") add_note(*bar, "gave up");
    }
    const auto metadata = std::ranges::find(bars, "metadata", &Bar::name);
    const auto counters = report.find("metadata");
    if (metadata == bars.end() || counters == report.end() || !counters->is_object()) return;
    const double retries = number_of(*counters, "retries", 0);
    if (retries > 0) add_note(*metadata, fmt::format("{:.0f} retries", retries));
}

/// Assembly holds the commands that follow it; each of these is a bar of its own.
bool holds(const Bar& frame, const Bar& bar) {
    return &frame != &bar && frame.name == "assembly" && bar.start >= frame.start - rounding &&
           bar.end <= frame.end + rounding && bar.name != "ebs" && bar.name != "root";
}

/// From the end backwards: what ended last before this began is what it waited for. (The stages are
/// told one after the other or side by side, and no more is known of what depends on what.)
void mark_critical(std::vector<Bar>& bars) {
    const auto is_frame = [&](const Bar& bar) {
        return std::ranges::any_of(bars, [&](const Bar& other) { return holds(bar, other); });
    };
    std::vector<Bar*> left;
    for (auto& bar : bars) {
        if (!is_frame(bar)) left.push_back(&bar);
    }
    double until = end_of(bars);
    while (true) {
        Bar* last = nullptr;
        for (Bar* bar : left) {
            const bool fits = !bar->critical && bar->end <= until + rounding;
            if (fits && (last == nullptr || bar->end > last->end ||
                         (bar->end == last->end && bar->start > last->start)))
                last = bar;
        }
        if (last == nullptr) break;
        last->critical = true;
        until = std::min(until, last->start);
    }
    for (auto& bar : bars) {
        const auto in_it = [&](const Bar& other) { return other.critical && holds(bar, other); };
        bar.critical = bar.critical || std::ranges::any_of(bars, in_it);
    }
}

} // namespace

std::string text_or_dash(const Json& json, const char* key) {
    return fields::text(json, key, "-");
}

double end_of(const std::vector<Bar>& bars) {
    const auto last = std::ranges::max_element(bars, {}, &Bar::end);
    return last == bars.end() ? 0 : last->end;
}

std::vector<Bar> bars_of(const Json& report) {
    if (!report.is_object()) return {};
    auto bars = stages_of(report);
    mark_waits(report, bars);
    mark_critical(bars);
    return bars;
}

} // namespace muster
