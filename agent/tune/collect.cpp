#include "agent/tune/collect.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "agent/sys/fields.h"
#include "agent/sys/json_text.h"

namespace muster::tune {
namespace {

using Json = nlohmann::json;

// No deadline can be longer, so no wait can.
constexpr double longest = 48 * 3600;
constexpr std::size_t longest_name = 200;

struct Entry {
    std::string name;
    double seconds = 0;
    bool found = false;
};

/// One entry of `waits`, or nothing where it is none.
std::optional<Entry> entry_of(const Json& json) {
    if (!json.is_object()) return std::nullopt;
    const auto name = json.find("for");
    const auto time = json.find("seconds");
    const auto outcome = json.find("outcome");
    if (name == json.end() || !name->is_string() || time == json.end() || !time->is_number() ||
        outcome == json.end() || (*outcome != "found" && *outcome != "gave up")) {
        return std::nullopt;
    }
    Entry entry{.name = *name, .seconds = *time, .found = *outcome == "found"};
    // Nothing of a name may act on the terminal that it is shown on.
    const auto acts = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    const bool sound = !entry.name.empty() && entry.name.size() <= longest_name &&
                       std::ranges::none_of(entry.name, acts) && entry.seconds >= 0 &&
                       entry.seconds <= longest;
    return sound ? std::optional(std::move(entry)) : std::nullopt;
}

std::uint64_t boot_of(const Json& report) {
    const auto id = fields::text(fields::member(report, "instance"), "id");
    return std::hash<std::string>{}(id + '/' + fields::text(report, "boot_id"));
}

} // namespace

std::uint32_t rounded_up(double seconds) {
    // What a report says in milliseconds is not a hair more of them.
    auto whole = static_cast<std::uint32_t>(std::ceil(seconds * 1000 - 1e-6));
    std::uint32_t step = 1;
    while (whole / step > 9999)
        step *= 10;
    return (whole + step - 1) / step * step;
}

std::string kind_of(const std::string& name) {
    return name.starts_with("ebs ") ? "ebs" : name;
}

void Collector::unreadable(std::string_view where, std::string_view why) {
    if (collected_.bad++ == 0) {
        collected_.first_bad = std::string(where) + ": " + std::string(why);
    }
}

void Collector::line(std::string_view where, std::string_view text) {
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const auto report = parse_json(text);
    if (!report.is_object()) return unreadable(where, "not a JSON object");
    if (fields::text(report, "schema") != "muster.report/1" ||
        fields::text(report, "boot_id").empty()) {
        return unreadable(where, "no report of muster (schema \"muster.report/1\")");
    }
    const auto outcome = fields::text(report, "outcome");
    const auto waits = report.find("waits");
    if ((outcome != "ready" && outcome != "failed") || waits == report.end()) {
        ++collected_.without;
        return;
    }
    std::vector<Entry> entries;
    for (const auto& wait : *waits) {
        auto entry = entry_of(wait);
        if (!entry) return unreadable(where, "one of its `waits` is none");
        entries.push_back(std::move(*entry));
    }
    const auto boot = boot_of(report);
    if (boots_.contains(boot)) {
        ++collected_.again;
        return;
    }
    if (boots_.size() >= most_boots) {
        ++collected_.left_out;
        return;
    }
    boots_.insert(boot);
    ++collected_.reports;
    for (const auto& entry : entries)
        add(by_kind_ ? kind_of(entry.name) : entry.name, rounded_up(entry.seconds), entry.found);
}

void Collector::add(const std::string& name, std::uint32_t milliseconds, bool found) {
    const auto known = collected_.waits.find(name);
    const bool is_new = known == collected_.waits.end();
    if ((is_new && collected_.waits.size() >= most_names) ||
        ((is_new || !known->second.contains(milliseconds)) && times_ >= most_times)) {
        ++collected_.left_out;
        return;
    }
    auto& times = collected_.waits[name];
    const auto before = times.size();
    auto& ends = times[milliseconds];
    times_ += times.size() - before;
    ++(found ? ends.found : ends.gave_up);
}

} // namespace muster::tune
