// `muster deliver`: what is still in the spool.
#include "agent/deliver.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "agent/commands.h"
#include "agent/courier.h"
#include "agent/spool.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

using Json = nlohmann::ordered_json;

// Older than this, a verdict is about a machine that nobody waits for any more.
constexpr auto max_age = std::chrono::hours(24);
constexpr int remains = 3;

std::string superseded(const std::string& body) {
    auto report = Json::parse(body, nullptr, false);
    if (!report.is_object()) return body;
    report["superseded"] = true;
    return report.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The last verdict that there was, delivered or not.
struct Latest {
    std::string boot_id;
    unsigned sequence = 0;
};

std::optional<Latest> latest_verdict(const Files& files) {
    const auto text = files.read("/run/muster/report.json");
    const auto report = text ? Json::parse(*text, nullptr, false) : Json();
    const auto boot_id = report.is_object() ? report.find("boot_id") : report.end();
    const auto sequence = report.is_object() ? report.find("sequence") : report.end();
    if (boot_id == report.end() || !boot_id->is_string() || sequence == report.end() ||
        !sequence->is_number_unsigned()) {
        return std::nullopt;
    }
    return Latest{*boot_id, *sequence};
}

/// Whether a later report is known, be it delivered or in the spool too.
bool is_superseded(const SpoolEntry& entry, const std::vector<SpoolEntry>& all,
                   const std::optional<Latest>& latest) {
    if (latest && (latest->boot_id != entry.boot_id || latest->sequence > entry.sequence)) {
        return true;
    }
    return std::ranges::any_of(all, [&](const SpoolEntry& other) {
        return other.sink == entry.sink && other.boot_id == entry.boot_id &&
               other.sequence > entry.sequence;
    });
}

/// One sink's reports, in their order.
class Round {
  public:
    Round(const Files& files, Clock& clock, const Config& config, const std::string& name,
          Deadline deadline)
        : files_(files), clock_(clock), deadline_(deadline) {
        const auto known = std::ranges::find(config.report.to, name, &SinkConfig::name);
        if (known == config.report.to.end()) {
            log::error("the configuration has no such sink any more", {{"sink", name}});
            return;
        }
        auto sink = make_sink(*known, files_, clock_, {});
        if (sink) {
            sink_ = std::move(*sink);
        } else {
            log::error("sink can't be used", {{"sink", name}, {"error", sink.error().message}});
        }
    }

    void add(const SpoolEntry& entry, Message message) {
        entries_.push_back({&entry, std::move(message)});
    }

    void go() {
        if (!sink_) return;
        for (const auto& [entry, message] : entries_)
            deliver(*entry, message);
    }

    [[nodiscard]] bool all_delivered() const { return delivered_ == entries_.size(); }

  private:
    void deliver(const SpoolEntry& entry, const Message& message) {
        const std::atomic<bool> never = false;
        const auto delivery =
            deliver_with_retries(*sink_, message, clock_, deadline_, fresh_schedule(), never);
        if (!delivery.delivered) {
            log::error("not delivered", {{"sink", entry.sink}, {"error", delivery.error}});
            return;
        }
        Spool(files_).drop(entry.name);
        ++delivered_;
        log::info("delivered", {{"name", entry.name}});
    }

    const Files& files_;
    Clock& clock_;
    Deadline deadline_;
    std::unique_ptr<Sink> sink_; ///< null where it can't be made
    std::vector<std::pair<const SpoolEntry*, Message>> entries_;
    std::size_t delivered_ = 0;
};

} // namespace

bool empty_spool(const Files& files, Clock& clock, const Config& config) {
    const Spool spool(files);
    const auto content = spool.read();
    for (const auto& error : content.unread)
        log::error("spool can't be read", {{"error", error.message}});
    for (const auto& name : content.unusable) {
        log::error("spool entry can't be understood, dropped", {{"name", name}});
        spool.drop(name);
    }
    const auto latest = latest_verdict(files);
    const auto deadline = Deadline::in(clock, config.report.deadline);
    std::map<std::string, Round> rounds;
    for (const auto& entry : content.entries) {
        if (clock.wall() - entry.time > max_age) {
            log::warning("too old, dropped", {{"name", entry.name}});
            spool.drop(entry.name);
            continue;
        }
        Message message = entry.message;
        if (is_superseded(entry, content.entries, latest)) message.body = superseded(message.body);
        rounds.try_emplace(entry.sink, files, clock, config, entry.sink, deadline)
            .first->second.add(entry, std::move(message));
    }
    std::vector<std::unique_ptr<Job>> jobs;
    for (auto& [name, round] : rounds)
        jobs.push_back(clock.start("deliver", [&round] { round.go(); }));
    for (auto& job : jobs)
        clock.wait(*job);
    return content.unread.empty() &&
           std::ranges::all_of(rounds, [](const auto& one) { return one.second.all_delivered(); });
}

int deliver_spool(const Options& options) {
    const Files files;
    const auto clock = make_system_clock();
    const auto layers = find_config_layers(files, options.configs);
    const auto loaded = layers ? load_config(*layers) : load_config({});
    if (!layers || !loaded.valid()) {
        log::error("configuration",
                   {{"mistake", layers ? loaded.mistakes.front().text() : layers.error().message}});
        return 2;
    }
    return empty_spool(files, *clock, loaded.config) ? 0 : remains;
}

} // namespace muster
