#include "agent/leftovers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/sys/log.h"

namespace muster {
namespace {

using Json = nlohmann::ordered_json;

/// The last verdict that there was, delivered or not.
std::optional<Statement> latest_verdict(const Files& files) {
    const auto text = files.read("/run/muster/report.json");
    const auto report = text ? Json::parse(*text, nullptr, false) : Json();
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

/// Also what can't be told: then the careful reading is that a scaler might act on it.
bool is_verdict(const std::string& outcome) {
    return !is_of_watch(outcome) && outcome != "notice" && outcome != "stopping";
}

/// Whether a later report is known, be it delivered or in the spool too.
bool is_void(const SpoolEntry& entry, const std::vector<SpoolEntry>& all,
             const std::vector<Statement>& statements, const std::optional<Statement>& latest) {
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
    const auto report = Json::parse(entry.message.body, nullptr, false);
    const auto outcome = report.is_object() ? report.find("outcome") : report.end();
    const bool told = outcome != report.end() && outcome->is_string();
    return {entry.boot_id, entry.sequence, told ? outcome->get<std::string>() : ""};
}

bool makes_void(const Statement& later, const Statement& earlier) {
    if (later.boot_id != earlier.boot_id) return true;
    if (later.sequence <= earlier.sequence || earlier.outcome == "notice") return false;
    if (earlier.outcome == "stopping") return true;
    if (is_verdict(later.outcome)) return true;
    return is_of_watch(later.outcome) && is_of_watch(earlier.outcome);
}

std::string superseded(const std::string& body) {
    auto report = Json::parse(body, nullptr, false);
    if (!report.is_object()) return body;
    report["superseded"] = true;
    return report.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Leftovers read_leftovers(const Files& files, const Clock& clock) {
    const Spool spool(files);
    auto content = spool.read();
    for (const auto& error : content.unread)
        log::error("spool can't be read", {{"error", error.message}});
    for (const auto& name : content.unusable) {
        log::error("spool entry can't be understood, dropped", {{"name", name}});
        spool.drop(name);
    }
    Leftovers leftovers{.entries = {}, .all_read = content.unread.empty()};
    const auto latest = latest_verdict(files);
    std::vector<Statement> statements;
    for (const auto& entry : content.entries)
        statements.push_back(statement_of(entry));
    for (const auto& entry : content.entries) {
        if (clock.wall() - entry.time > worth_sending_for) {
            log::warning("too old, dropped", {{"name", entry.name}});
            spool.drop(entry.name);
            continue;
        }
        auto kept = entry;
        if (is_void(entry, content.entries, statements, latest))
            kept.message.body = superseded(kept.message.body);
        leftovers.entries.push_back(std::move(kept));
    }
    return leftovers;
}

} // namespace muster
