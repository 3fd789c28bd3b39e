#include "agent/spool.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <tuple>

#include "agent/sys/lock.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr std::string_view folder = "/run/muster/spool/";
constexpr const char* sequence_file = "/run/muster/sequence";
constexpr const char* sequence_lock = "/run/muster/sequence.lock";
constexpr std::size_t max_entry = 256 << 10;

std::optional<SpoolEntry> parse(const std::string& name, const std::string& text) {
    const auto json = Json::parse(text, nullptr, false);
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

/// For the moment that it takes to write a number. A message must go out even where the lock is not
/// to be had: its holder may have been stopped in the middle.
std::optional<Lock> lock_sequence(const Files& files) {
    for (int tries = 0; tries < 400; ++tries) {
        auto lock = Lock::take(files.real(sequence_lock).string());
        if (lock) return std::move(*lock);
        if (lock.error().code != Errc::conflict) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return std::nullopt;
}

} // namespace

std::string Spool::name_of(const std::string& boot_id, unsigned sequence, const std::string& sink) {
    return fmt::format("{}-{:06}-{}.json", boot_id, sequence, sink);
}

Result<void> Spool::put(const SpoolEntry& entry) const {
    const Json json = {
        {"sink", entry.sink},         {"boot_id", entry.boot_id},
        {"sequence", entry.sequence}, {"time_ms", entry.time.time_since_epoch().count()},
        {"key", entry.message.key},   {"body", entry.message.body}};
    return files_.write(std::string(folder) + entry.name,
                        json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Spool::keep(const SpoolEntry& entry) const {
    const auto kept = put(entry);
    if (!kept) log::error("report can't be spooled", {{"error", kept.error().message}});
}

void Spool::drop(const std::string& name) const {
    const auto removed = files_.remove(std::string(folder) + name);
    if (!removed && removed.error().code != Errc::absent) {
        log::warning("spool entry can't be removed", {{"error", removed.error().message}});
    }
}

Spool::Content Spool::read() const {
    Content content;
    const auto names = files_.list(folder);
    if (!names && names.error().code != Errc::absent) content.unread.push_back(names.error());
    for (const auto& name : names.value_or(std::vector<std::string>{})) {
        if (!name.ends_with(".json")) continue;
        const auto text = files_.read(std::string(folder) + name, max_entry);
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
    // The wall clock tells boots apart in time, but may have been set within one.
    std::map<std::string, WallTime> began;
    for (const auto& entry : content.entries) {
        auto& first = began.try_emplace(entry.boot_id, entry.time).first->second;
        first = std::min(first, entry.time);
    }
    std::ranges::stable_sort(content.entries, {}, [&](const SpoolEntry& entry) {
        return std::tuple(began.at(entry.boot_id), entry.boot_id, entry.sequence);
    });
    return content;
}

unsigned next_sequence(const Files& files) {
    const auto lock = lock_sequence(files);
    unsigned last = 0;
    const auto text = files.read_value(sequence_file).value_or("0");
    std::from_chars(text.data(), text.data() + text.size(), last);
    const auto written = files.write(sequence_file, std::to_string(last + 1));
    if (!written) log::warning("sequence can't be kept", {{"error", written.error().message}});
    return last + 1;
}

} // namespace muster
