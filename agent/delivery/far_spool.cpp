#include "agent/delivery/far_spool.h"

#include <cstdint>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/sys/json_text.h"

namespace muster {
namespace {

using Json = nlohmann::json;

constexpr const char* spool = "/var/lib/muster/spool/";
constexpr const char* history = "/var/lib/muster/history/";
constexpr Duration limit = std::chrono::seconds(5);
constexpr Duration pause = std::chrono::minutes(1);

// --- in the helper

void keep_history(const Files& files, const std::string& name, const std::string& report) {
    if (!files.write(history + name, report + "\n")) return; // the spool's own error tells it
    files.remove_abandoned(history);
    auto names = files.list(history).value_or(std::vector<std::string>{});
    std::erase(names, name); // the wall clock may say that it is the oldest
    for (std::size_t i = 0; i + max_history <= names.size(); ++i)
        (void)files.remove(history + names[i]);
}

Json keep(const Files& files, const Json& argument) {
    files.remove_abandoned(spool);
    const SpoolFolder folder(files, spool);
    const std::string body = argument.at("body");
    for (const auto& sink : argument.at("sinks")) {
        const auto kept = folder.put({.name = sink.at("name"),
                                      .sink = sink.at("sink"),
                                      .boot_id = argument.at("boot_id"),
                                      .sequence = argument.at("sequence"),
                                      .time = WallTime(std::chrono::milliseconds(
                                          argument.at("time_ms").get<std::int64_t>())),
                                      .message = {.body = body, .key = argument.at("key")}});
        if (!kept) return {{"error", kept.error().message}, {"code", kept.error().code}};
    }
    const std::string report = argument.at("report");
    if (!report.empty()) keep_history(files, argument.at("history"), report);
    return Json::object();
}

Json drop(const Files& files, const Json& argument) {
    const SpoolFolder folder(files, spool);
    for (const auto& name : argument.at("names")) {
        const auto dropped = folder.drop(name);
        if (!dropped) return {{"error", dropped.error().message}, {"code", dropped.error().code}};
    }
    return Json::object();
}

Json read(const Files& files, const Json&) {
    const auto content = SpoolFolder(files, spool).read();
    Json answer = {{"entries", Json::array()}, {"unusable", content.unusable}};
    for (const auto& entry : content.entries) {
        answer["entries"].push_back({{"name", entry.name},
                                     {"sink", entry.sink},
                                     {"boot_id", entry.boot_id},
                                     {"sequence", entry.sequence},
                                     {"time_ms", entry.time.time_since_epoch().count()},
                                     {"body", entry.message.body},
                                     {"key", entry.message.key}});
    }
    for (const auto& error : content.unread)
        answer["unread"].push_back({{"error", error.message}, {"code", error.code}});
    return answer;
}

std::string serve(std::string_view bytes, Json (*work)(const Files&, const Json&)) {
    Json answer;
    try {
        const auto argument = parse_cbor(bytes);
        answer = work(Files(argument.at("root").get<std::string>()), argument);
    } catch (const Json::exception& error) {
        answer = {{"error", error.what()}, {"code", Errc::internal}};
    }
    return to_cbor(answer);
}

std::string serve_keep(std::string_view bytes) {
    return serve(bytes, &keep);
}
std::string serve_drop(std::string_view bytes) {
    return serve(bytes, &drop);
}
std::string serve_read(std::string_view bytes) {
    return serve(bytes, &read);
}

// --- in the agent

Result<std::unique_ptr<IsolatedCall>> start(Isolate& isolate, IsolatedFunction function,
                                            const Json& argument) {
    return isolate.start(function, to_cbor(argument));
}

Result<std::unique_ptr<IsolatedCall>> nothing_is_kept() {
    return fail(Errc::internal, "nothing is being kept");
}

Error error_in(const Json& answer) {
    return {answer.value("code", Errc::internal), answer.value("error", "")};
}

Result<Json> finish(IsolatedCall& call, Deadline deadline) {
    const auto bytes = call.wait(deadline);
    if (!bytes) return fail(bytes.error(), "/var/lib/muster");
    auto answer = parse_cbor(*bytes);
    if (!answer.is_object()) return fail(Errc::internal, "a message of a helper can't be read");
    if (answer.contains("error")) return std::unexpected(error_in(answer));
    return answer;
}

SpoolContent content_of(const Json& answer) {
    SpoolContent content;
    content.unusable = answer.at("unusable").get<std::vector<std::string>>();
    for (const auto& each : answer.at("entries")) {
        content.entries.push_back(
            {.name = each.at("name"),
             .sink = each.at("sink"),
             .boot_id = each.at("boot_id"),
             .sequence = each.at("sequence"),
             .time = WallTime(std::chrono::milliseconds(each.at("time_ms").get<std::int64_t>())),
             .message = {.body = each.at("body"), .key = each.at("key")},
             .far = true});
    }
    for (const auto& each : answer.value("unread", Json::array()))
        content.unread.push_back(error_in(each));
    return content;
}

} // namespace

FarSpool::FarSpool(Isolate& isolate, Clock& clock, const Files& files)
    : isolate_(isolate), clock_(clock), root_(files.real("/").string()),
      keeping_(nothing_is_kept()) {}

Result<void> FarSpool::usable() {
    const std::scoped_lock lock(mutex_);
    if (hung_ && clock_.now() < hung_at_ + pause) return std::unexpected(*hung_);
    return {};
}

Error FarSpool::failed(const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (error.code == Errc::stuck) {
        hung_ = error;
        hung_at_ = clock_.now();
    }
    return error;
}

void FarSpool::begin_keep(const std::vector<SpoolEntry>& entries, const std::string& report_name,
                          const std::string& report) {
    Json argument = {
        {"root", root_},   {"body", ""}, {"boot_id", ""},          {"sequence", 0},
        {"time_ms", 0},    {"key", ""},  {"sinks", Json::array()}, {"history", report_name},
        {"report", report}};
    for (const auto& entry : entries) {
        // All of one report, which goes in once: a helper is given 1 MiB at the most.
        argument["body"] = entry.message.body;
        argument["key"] = entry.message.key;
        argument["boot_id"] = entry.boot_id;
        argument["sequence"] = entry.sequence;
        argument["time_ms"] = entry.time.time_since_epoch().count();
        argument["sinks"].push_back({{"name", entry.name}, {"sink", entry.sink}});
    }
    const auto well = usable();
    keeping_ = well ? start(isolate_, &serve_keep, argument) : fail(well.error());
}

Result<void> FarSpool::finish_keep(Deadline deadline) {
    const auto call = std::exchange(keeping_, nothing_is_kept());
    if (!call) return fail(call.error());
    const auto answer = finish(**call, deadline);
    if (!answer) return std::unexpected(failed(answer.error()));
    return {};
}

Result<void> FarSpool::keep(const SpoolEntry& entry) {
    begin_keep({entry}, "", "");
    return finish_keep(Deadline::in(clock_, limit));
}

Result<void> FarSpool::drop(const std::vector<std::string>& names) {
    if (auto well = usable(); !well || names.empty()) return well;
    auto call = start(isolate_, &serve_drop, {{"root", root_}, {"names", names}});
    if (!call) return fail(call.error());
    const auto answer = finish(**call, Deadline::in(clock_, limit));
    if (!answer) return std::unexpected(failed(answer.error()));
    return {};
}

Result<SpoolContent> FarSpool::read() {
    if (const auto well = usable(); !well) return fail(well.error());
    auto call = start(isolate_, &serve_read, {{"root", root_}});
    if (!call) return fail(call.error());
    const auto answer = finish(**call, Deadline::in(clock_, limit));
    if (!answer) return std::unexpected(failed(answer.error()));
    return content_of(*answer);
}

std::string FarSpool::history_name(WallTime time, const std::string& boot_id, unsigned sequence) {
    return fmt::format("{}-{}-{:06}.json", to_rfc3339(time), boot_id, sequence);
}

} // namespace muster
