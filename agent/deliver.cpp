// `muster deliver`: what is still in the spool.
#include <algorithm>
#include <map>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/courier.h"
#include "agent/spool.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

// Older than this, a verdict is about a machine that nobody waits for any more.
constexpr auto max_age = std::chrono::hours(24);
constexpr int remains = 3;

std::string superseded(const std::string& body) {
    auto report = nlohmann::ordered_json::parse(body, nullptr, false);
    if (!report.is_object()) return body;
    report["superseded"] = true;
    return report.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Whether a later report of the same boot waits for the same sink.
bool is_superseded(const SpoolEntry& entry, const std::vector<SpoolEntry>& all) {
    return std::ranges::any_of(all, [&](const SpoolEntry& other) {
        return other.sink == entry.sink && other.boot_id == entry.boot_id &&
               other.sequence > entry.sequence;
    });
}

bool deliver(const SpoolEntry& entry, bool late, const Config& config, const Files& files,
             Clock& clock, Deadline deadline) {
    const auto sink = std::ranges::find(config.report.to, entry.sink, &SinkConfig::name);
    if (sink == config.report.to.end()) {
        log::error("the configuration has no such sink any more", {{"sink", entry.sink}});
        return false;
    }
    Courier courier(clock);
    courier.add(*sink, files);
    Message message = entry.message;
    if (late) message.body = superseded(message.body);
    const auto delivery = courier.deliver(message, deadline).front();
    if (!delivery.delivered) {
        log::error("not delivered", {{"sink", entry.sink}, {"error", delivery.error}});
    }
    return delivery.delivered;
}

} // namespace

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
    const Spool spool(files);
    const auto content = spool.read();
    for (const auto& name : content.unusable) {
        log::error("spool entry can't be understood, dropped", {{"name", name}});
        spool.drop(name);
    }
    bool rest = false;
    const auto deadline = Deadline::in(*clock, loaded.config.report.deadline);
    for (const auto& entry : content.entries) {
        if (clock->wall() - entry.time > max_age) {
            log::warning("too old, dropped", {{"name", entry.name}});
            spool.drop(entry.name);
            continue;
        }
        if (deliver(entry, is_superseded(entry, content.entries), loaded.config, files, *clock,
                    deadline)) {
            spool.drop(entry.name);
            log::info("delivered", {{"name", entry.name}});
        } else {
            rest = true;
        }
    }
    return rest ? remains : 0;
}

} // namespace muster
