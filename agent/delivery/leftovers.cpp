#include "agent/delivery/leftovers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/sys/json_text.h"
#include "agent/sys/log.h"
#include "probes/witnesses.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// The last verdict that there was in this boot, delivered or not.
OrderedJson latest_report(const Files& files) {
    const auto text = files.read("/run/muster/report.json");
    return text ? parse_ordered_json(*text) : OrderedJson();
}

std::optional<Statement> latest_verdict(const OrderedJson& report) {
    const auto boot_id = report.is_object() ? report.find("boot_id") : report.end();
    const auto sequence = report.is_object() ? report.find("sequence") : report.end();
    if (boot_id == report.end() || !boot_id->is_string() || sequence == report.end() ||
        !sequence->is_number_unsigned()) {
        return std::nullopt;
    }
    return Statement{*boot_id, *sequence, ""};
}

bool is_of_watch(const std::string& outcome) {
    return outcome == "degraded" || outcome == "recovered";
}

/// Whether a later report is known, be it delivered or in the spool too.
bool is_void(const SpoolEntry& entry, const std::vector<SpoolEntry>& all,
             const std::vector<Statement>& statements, const std::optional<Statement>& latest,
             const Here& here) {
    if (!here.boot_id.empty() && entry.boot_id != here.boot_id) return true;
    const auto earlier = statement_of(entry);
    if (latest && makes_void(*latest, earlier)) return true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool same_boot = all[i].boot_id == entry.boot_id;
        if (same_boot && all[i].sink == entry.sink && makes_void(statements[i], earlier))
            return true;
    }
    return false;
}

} // namespace

Statement statement_of(const SpoolEntry& entry) {
    return {entry.boot_id, entry.sequence, outcome_of(entry.message.body)};
}

bool makes_void(const Statement& later, const Statement& earlier) {
    if (later.boot_id != earlier.boot_id) return true;
    if (later.sequence <= earlier.sequence || earlier.outcome == "notice") return false;
    if (earlier.outcome == "stopping") return true;
    if (is_verdict(later.outcome)) return true;
    return is_of_watch(later.outcome) && is_of_watch(earlier.outcome);
}

std::string superseded(const std::string& body) {
    auto report = parse_ordered_json(body);
    if (!report.is_object()) return body;
    report["superseded"] = true;
    return to_text(report);
}

Here here_and_now(const Files& files) {
    Here here{.boot_id = files.read_value("/proc/sys/kernel/random/boot_id").value_or(""),
              .instance_id = probes::firmware_instance_id(files)};
    if (here.instance_id.empty())
        here.instance_id = facts_of(to_text(latest_report(files))).instance_id;
    return here;
}

Duration age_of(const SpoolEntry& entry, const std::string& boot_id, const Clock& clock) {
    const Duration by_calendar = clock.wall() - entry.time;
    const Duration since_boot = clock.now().time_since_epoch(); // CLOCK_BOOTTIME
    return entry.boot_id == boot_id ? std::min(by_calendar, since_boot) : by_calendar;
}

bool is_overtaken(const SpoolEntry& entry, const Files& files) {
    const auto latest = latest_verdict(latest_report(files));
    return latest && makes_void(*latest, statement_of(entry));
}

bool may_be_acted_on(const SpoolEntry& entry, const Here& here) {
    return is_current_verdict(facts_of(entry.message.body), here);
}

namespace {

enum class Worth { send, drop, leave };

/// Only a disk outlives its instance, so what is of this boot is ours.
Worth worth_of(const SpoolEntry& entry, const Here& here, const Clock& clock) {
    if (age_of(entry, here.boot_id, clock) > worth_sending_for) {
        log::warning("too old, dropped", {{"name", entry.name}});
        return Worth::drop;
    }
    const auto instance = facts_of(entry.message.body).instance_id;
    if (entry.boot_id == here.boot_id || instance.empty()) return Worth::send;
    if (entry.far && here.instance_id.empty()) {
        log::warning("whose report this is can't be told yet, so it is left alone",
                     {{"name", entry.name}});
        return Worth::leave;
    }
    if (entry.far && instance != here.instance_id) {
        log::warning("of another instance, dropped",
                     {{"name", entry.name}, {"instance", instance}, {"here", here.instance_id}});
        return Worth::drop;
    }
    return Worth::send;
}

} // namespace

Leftovers read_leftovers(const Spool& spool, const Files& files, const Clock& clock) {
    const auto here = here_and_now(files);
    const auto content = spool.read(here.boot_id);
    for (const auto& error : content.unread)
        log::error("spool can't be read", {{"error", error.message}});
    for (const auto& names : {content.unusable, content.unusable_far}) {
        for (const auto& name : names)
            log::error("spool entry can't be understood, dropped", {{"name", name}});
    }
    spool.drop_unusable(content);

    Leftovers leftovers{.entries = {}, .all_read = content.unread.empty()};
    const auto latest = latest_verdict(latest_report(files));
    std::vector<Statement> statements;
    for (const auto& entry : content.entries)
        statements.push_back(statement_of(entry));
    std::vector<std::string> gone;
    for (const auto& entry : content.entries) {
        const auto worth = worth_of(entry, here, clock);
        if (worth == Worth::leave) leftovers.all_read = false;
        if (worth == Worth::drop) {
            spool.drop_near(entry);
            if (entry.far) gone.push_back(entry.name);
        }
        if (worth != Worth::send) continue;
        auto kept = entry;
        if (is_void(entry, content.entries, statements, latest, here))
            kept.message.body = superseded(kept.message.body);
        leftovers.entries.push_back(std::move(kept));
    }
    spool.drop_far(gone);
    return leftovers;
}

} // namespace muster
