// `muster deliver`: what is still in the spool.
#include "agent/deliver.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>

#include "agent/commands.h"
#include "agent/courier.h"
#include "agent/leftovers.h"
#include "agent/look.h"
#include "agent/rehearsal.h"
#include "agent/spool.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr int remains = 3;

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

    void add(const SpoolEntry& entry) { entries_.push_back(&entry); }

    void go() {
        if (!sink_) return;
        for (const auto* entry : entries_)
            deliver(*entry);
    }

    [[nodiscard]] bool all_delivered() const { return delivered_ == entries_.size(); }

  private:
    void deliver(const SpoolEntry& entry) {
        const std::atomic<bool> never = false;
        const auto delivery =
            deliver_with_retries(*sink_, entry.message, clock_, deadline_, fresh_schedule(), never);
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
    std::vector<const SpoolEntry*> entries_;
    std::size_t delivered_ = 0;
};

} // namespace

bool empty_spool(const Files& files, Clock& clock, const Config& config) {
    const auto leftovers = read_leftovers(files, clock);
    const auto deadline = Deadline::in(clock, config.report.deadline);
    std::map<std::string, Round> rounds;
    for (const auto& entry : leftovers.entries) {
        rounds.try_emplace(entry.sink, files, clock, config, entry.sink, deadline)
            .first->second.add(entry);
    }
    std::vector<std::unique_ptr<Job>> jobs;
    for (auto& [name, round] : rounds)
        jobs.push_back(clock.start("deliver", [&round] { round.go(); }));
    for (auto& job : jobs)
        clock.wait(*job);
    return leftovers.all_read &&
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
    if (options.test) {
        const auto rehearsal = rehearse(files, *clock, loaded.config);
        std::fputs(rehearsal.text.c_str(), stdout);
        return rehearsal.well ? all_well : something_wrong;
    }
    return empty_spool(files, *clock, loaded.config) ? 0 : remains;
}

} // namespace muster
