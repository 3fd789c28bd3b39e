// `muster deliver`: what is still in the spool.
#include "agent/delivery/deliver.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>

#include "agent/commands.h"
#include "agent/delivery/courier.h"
#include "agent/delivery/far_spool.h"
#include "agent/delivery/leftovers.h"
#include "agent/delivery/rehearsal.h"
#include "agent/delivery/spool.h"
#include "agent/look.h"
#include "agent/run.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr int remains = 3;

// How soon the end of another process's delivery is noticed.
constexpr Duration lock_slice = std::chrono::milliseconds(50);

/// A sink, for one entry of the spool. Each try has the sink's lock, so that two processes send
/// nothing twice and a person need not wait for one that waits; and it sends what the entry is
/// worth by then.
class Guarded : public Sink {
  public:
    Guarded(Sink& sink, bool acting, const Spool& spool, const SpoolEntry& entry,
            const Files& files, Clock& clock)
        : sink_(sink), acting_(acting), spool_(spool), entry_(entry), files_(files), clock_(clock) {
    }

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto deadline = Deadline::in(clock_, limit);
        const auto lock = take_lock(deadline);
        if (!lock && lock.error().code == Errc::conflict) {
            return std::unexpected(
                SinkError{.error = {Errc::transient, "another process is delivering to the sink: " +
                                                         lock.error().message}});
        }
        if (!spool_.still_has(entry_)) return {}; // another process was quicker
        if (acting_ && !may_be_acted_on(entry_, here_and_now(files_))) {
            log::warning("nothing is to be done about it any more, dropped",
                         {{"name", entry_.name}});
            spool_.drop(entry_);
            return {};
        }
        auto now = message;
        if (is_overtaken(entry_, files_)) now.body = superseded(now.body);
        return sink_.deliver(now, deadline.left(clock_));
    }

  private:
    /// Where there is no lock to be had, it is better sent twice than never.
    [[nodiscard]] Result<Lock> take_lock(Deadline deadline) const {
        while (true) {
            auto lock = spool_.lock(entry_.sink);
            if (lock || lock.error().code != Errc::conflict || deadline.passed(clock_)) return lock;
            clock_.sleep_until(std::min(clock_.now() + lock_slice, deadline.at));
        }
    }

    Sink& sink_;
    bool acting_;
    const Spool& spool_;
    const SpoolEntry& entry_;
    const Files& files_;
    Clock& clock_;
};

/// One sink's reports, in their order.
class Round {
  public:
    Round(const Spool& spool, const Files& files, Clock& clock, const Config& config,
          const std::string& name, Deadline deadline)
        : spool_(spool), files_(files), clock_(clock), deadline_(deadline) {
        const auto known = std::ranges::find(config.report.to, name, &SinkConfig::name);
        if (known == config.report.to.end()) {
            log::error("the configuration has no such sink any more", {{"sink", name}});
            return;
        }
        acting_ = known->acting();
        auto sink = make_sink(*known, files, clock_, {});
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

    /// What is left, for after a reboot.
    void keep_far() const {
        for (const auto* entry : entries_) {
            if (spool_.still_has(*entry)) spool_.keep_far(*entry);
        }
    }

  private:
    void deliver(const SpoolEntry& entry) {
        const std::atomic<bool> never = false;
        Guarded sink(*sink_, acting_, spool_, entry, files_, clock_);
        const auto delivery = deliver_with_retries(sink, entry.message, clock_, deadline_,
                                                   fresh_schedule(deliver_backoff), never);
        const bool there = spool_.still_has(entry); // no: sent by another, or wanted by nobody
        if (there && !delivery.delivered) {
            log::error("not delivered", {{"sink", entry.sink}, {"error", delivery.error}});
            return;
        }
        ++delivered_;
        if (!there) return;
        spool_.drop(entry);
        log::info("delivered", {{"name", entry.name}});
    }

    const Spool& spool_;
    const Files& files_;
    Clock& clock_;
    Deadline deadline_;
    bool acting_ = false;
    std::unique_ptr<Sink> sink_; ///< null where it can't be made
    std::vector<const SpoolEntry*> entries_;
    std::size_t delivered_ = 0;
};

} // namespace

bool empty_spool(const Files& files, Clock& clock, const Config& config, Duration patience,
                 FarSpool* far) {
    const Spool spool(files, far);
    const auto leftovers = read_leftovers(spool, files, clock);
    const auto deadline = Deadline::in(clock, patience);
    std::map<std::string, Round> rounds;
    for (const auto& entry : leftovers.entries) {
        rounds.try_emplace(entry.sink, spool, files, clock, config, entry.sink, deadline)
            .first->second.add(entry);
    }
    std::vector<std::unique_ptr<Job>> jobs;
    for (auto& [name, round] : rounds)
        jobs.push_back(clock.start("deliver", [&round] { round.go(); }));
    for (auto& job : jobs)
        clock.wait(*job);
    if (config.mode == Mode::enforce) { // else no disk is written
        for (const auto& [name, round] : rounds)
            round.keep_far();
    }
    return leftovers.all_read &&
           std::ranges::all_of(rounds, [](const auto& one) { return one.second.all_delivered(); });
}

int deliver_spool(const Options& options) {
    const Files files;
    const auto clock = make_system_clock();
    const auto loaded = load_for_run(files, options);
    for (const auto& mistake : loaded.mistakes) {
        if (!mistake.unknown_key) log::error("configuration", {{"mistake", mistake.text()}});
    }
    if (options.test) {
        if (!loaded.valid()) return 2;
        const auto rehearsal = rehearse(files, *clock, loaded.config);
        std::fputs(rehearsal.text.c_str(), stdout);
        return rehearsal.well ? all_well : something_wrong;
    }
    // Before the first thread, as for the sinks that write files.
    const auto isolate = make_isolate(*clock);
    if (!isolate) log::error("/var/lib/muster is left out", {{"error", isolate.error().message}});
    auto far = isolate ? std::make_unique<FarSpool>(**isolate, *clock, files) : nullptr;
    const auto patience = options.patience.value_or(loaded.config.report.deadline);
    const bool empty = empty_spool(files, *clock, loaded.config, patience, far.get());
    if (!loaded.valid()) return 2; // with what could be sent of it sent: it may say just this
    return empty && isolate ? 0 : remains;
}

} // namespace muster
