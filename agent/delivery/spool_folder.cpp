#include "agent/delivery/spool_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "agent/sys/fields.h"
#include "agent/sys/json_text.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr std::size_t max_entry = 256 << 10;

std::optional<SpoolEntry> parse(const std::string& name, const std::string& text) {
    const auto json = parse_json(text);
    if (!json.is_object()) return std::nullopt;
    try {
        return SpoolEntry{
            .name = name,
            .sink = json.at("sink"),
            .boot_id = json.at("boot_id"),
            .sequence = json.at("sequence"),
            .time = WallTime(std::chrono::milliseconds(json.at("time_ms").get<std::int64_t>())),
            .message = {.body = json.at("body"), .key = json.at("key")}};
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

std::string text_of(const SpoolEntry& entry) {
    const Json json = {
        {"sink", entry.sink},         {"boot_id", entry.boot_id},
        {"sequence", entry.sequence}, {"time_ms", entry.time.time_since_epoch().count()},
        {"key", entry.message.key},   {"body", entry.message.body}};
    return to_text(json);
}

} // namespace

Result<std::vector<std::string>> SpoolFolder::put(const SpoolEntry& entry) const {
    files_.remove_abandoned(path_);
    const auto text = text_of(entry);
    auto gone = make_room(entry, text.size());
    const auto written = files_.write(path_ + entry.name, text);
    if (!written) return fail(written.error());
    return gone;
}

Result<void> SpoolFolder::drop(const std::string& name) const {
    auto removed = files_.remove(path_ + name);
    if (!removed && removed.error().code == Errc::absent) return {};
    return removed;
}

bool SpoolFolder::has(const std::string& name) const {
    return files_.exists(path_ + name);
}

SpoolContent SpoolFolder::read() const {
    SpoolContent content;
    const auto names = files_.list(path_);
    if (!names && names.error().code != Errc::absent) content.unread.push_back(names.error());
    for (const auto& name : names.value_or(std::vector<std::string>{})) {
        if (!name.ends_with(".json") || name.starts_with('.')) continue;
        const auto text = files_.read(path_ + name, max_entry);
        if (!text && text.error().code == Errc::absent) continue; // just delivered
        if (!text && text.error().code != Errc::too_large) {
            content.unread.push_back(text.error());
            continue;
        }
        auto entry = text ? parse(name, *text) : std::nullopt;
        if (entry) {
            content.entries.push_back(std::move(*entry));
        } else {
            content.unusable.push_back(name);
        }
    }
    return content;
}

/// By names and sizes alone, as long as there is room: that is nearly always.
bool SpoolFolder::has_room_for(const std::string& name, std::size_t bytes) const {
    const auto names = files_.list(path_).value_or(std::vector<std::string>{});
    for (const auto& other : names) {
        std::error_code gone; // then it takes no room
        const auto size = std::filesystem::file_size(files_.real(path_ + other), gone);
        if (!gone && other != name) bytes += size;
    }
    return names.size() < bounds_.entries && bytes <= bounds_.bytes;
}

std::vector<std::string> SpoolFolder::make_room(const SpoolEntry& entry, std::size_t bytes) const {
    if (has_room_for(entry.name, bytes)) return {};
    auto entries = read().entries;
    std::erase_if(entries, [&](const SpoolEntry& old) { return old.name == entry.name; });
    std::size_t left = entries.size();
    for (const auto& old : entries)
        bytes += text_of(old).size();
    const auto fits = [&] { return left < bounds_.entries && bytes <= bounds_.bytes; };
    if (fits()) return {};
    sort_entries(entries, entry.boot_id);
    std::ranges::stable_sort(entries, {}, [&](const SpoolEntry& old) {
        return std::tuple(is_verdict(outcome_of(old.message.body)), old.boot_id == entry.boot_id);
    });
    std::vector<std::string> gone;
    for (const auto& old : entries) {
        if (fits()) break;
        if (!drop(old.name)) continue;
        gone.push_back(old.name);
        --left;
        bytes -= text_of(old).size();
    }
    return gone;
}

void sort_entries(std::vector<SpoolEntry>& entries, const std::string& last) {
    std::map<std::string, WallTime> began;
    for (const auto& entry : entries) {
        auto& first = began.try_emplace(entry.boot_id, entry.time).first->second;
        first = std::min(first, entry.time);
    }
    std::ranges::stable_sort(entries, {}, [&](const SpoolEntry& entry) {
        return std::tuple(entry.boot_id == last, began.at(entry.boot_id), entry.boot_id,
                          entry.sequence);
    });
}

std::string outcome_of(const std::string& body) {
    return fields::text(parse_json(body), "outcome");
}

bool is_verdict(const std::string& outcome) {
    return outcome != "degraded" && outcome != "recovered" && outcome != "notice" &&
           outcome != "stopping";
}

} // namespace muster
