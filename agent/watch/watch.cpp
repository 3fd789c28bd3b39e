#include "agent/watch/watch.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/report.h"
#include "agent/sys/json_text.h"
#include "agent/sys/log.h"
#include "agent/sys/notify.h"
#include "agent/verdict.h"
#include "agent/watch/metrics.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* memory_file = "/run/muster/watch.json";
// How soon the end of what goes on beside the loop is noticed.
constexpr Duration slice = std::chrono::milliseconds(100);
// Metadata that must be confirmed first, and some disks that hang one after the other.
constexpr Duration look_extra = std::chrono::minutes(2);
// Beyond its own deadline a look hangs where nothing should.
constexpr Duration look_grace = std::chrono::seconds(30);
constexpr Duration numbers_limit = std::chrono::seconds(10);
// A service manager kills what does not stop; a machine that goes down has other things to do.
constexpr Duration goodbye_limit = std::chrono::seconds(5);
constexpr Duration last_numbers_limit = std::chrono::seconds(1);
// The first report to a sink opens files of the root (names, their servers), and later ones do not;
// a root that hangs must not be what the first one is about. So a sign of life comes soon, though
// not of a whole fleet in the same second.
constexpr Duration first_beat_limit = std::chrono::seconds(10);
// A `run` that is under way has given up by then.
constexpr Duration run_grace = std::chrono::seconds(10);

OrderedJson notice_json(const probes::Notice& notice) {
    OrderedJson json = {{"kind", notice.kind}, {"detail", notice.detail}};
    if (!notice.time.empty()) json["time"] = notice.time;
    return json;
}

/// What was found last, but of each bad subject what it is bad for.
std::vector<probes::Finding> with_bad(const std::vector<probes::Finding>& last,
                                      const std::vector<probes::Finding>& bad) {
    auto all = bad;
    for (const auto& finding : last) {
        const bool told = std::ranges::any_of(bad, [&](const probes::Finding& other) {
            return other.check == finding.check && other.subject == finding.subject;
        });
        if (!told) all.push_back(finding);
    }
    return all;
}

} // namespace

Watch::Watch(WatchWorld world, Config config)
    : world_(std::move(world)), config_(std::move(config)), letterhead_(world_.files, world_.clock),
      outbox_(world_.files, world_.clock, world_.make_sink, world_.far), hysteresis_(rule()),
      jitter_({}, world_.seed), look_(world_.clock), numbers_(world_.clock),
      instance_(record_by_firmware(world_.files).instance), next_look_(world_.clock.now()),
      next_beat_(first_beat()), next_ping_(next_look_) {}

Instant Watch::first_beat() {
    const auto limit = std::min(config_.watch.heartbeat, first_beat_limit);
    return world_.clock.now() + jitter_.between(limit / 10, limit);
}

HysteresisRule Watch::rule() const {
    return {config_.watch.bad, config_.watch.of};
}

Record Watch::record() const {
    Record record;
    record.instance = instance_;
    return record;
}

// --- what is seen

void Watch::begin_look() {
    const Instant now = world_.clock.now();
    if (now < next_look_ || look_.busy()) return;
    next_look_ =
        now + jitter_.between(config_.watch.interval * 4 / 5, config_.watch.interval * 6 / 5);
    look_began_ = now;
    const auto deadline = Deadline::in(world_.clock, config_.root.io_deadline + look_extra);
    look_.start("look", [this, deadline] { next_sight_ = world_.eyes.look(deadline); });
}

bool Watch::is_overdue() const {
    return look_.busy() &&
           world_.clock.now() >= look_began_ + config_.root.io_deadline + look_extra + look_grace;
}

void Watch::take_sight() {
    if (!look_.take_end()) return;
    sight_ = std::move(next_sight_);
    last_look_ = world_.clock.wall();
    if (!sight_.instance.id.empty()) instance_ = sight_.instance;
    take_metadata_error();
    take_findings();
    take_notices();
    write_numbers(true);
}

void Watch::take_metadata_error() {
    const bool fails = sight_.metadata_error.has_value();
    if (fails && !metadata_fails_) {
        log::warning("metadata can't be asked: notices may be missed",
                     {{"error", sight_.metadata_error->message}});
    } else if (!fails && metadata_fails_) {
        log::info("metadata answers again");
    }
    metadata_fails_ = fails;
}

void Watch::take_findings() {
    const auto change = hysteresis_.add(sight_.findings);
    if (change == Hysteresis::Change::none) return;
    auto record = this->record();
    const auto bad = hysteresis_.bad();
    record.findings = with_bad(sight_.findings, bad);
    remember();
    if (change == Hysteresis::Change::recovered) {
        report(recovered_report(letterhead_.next(config_.mode), record), "recovered");
        return;
    }
    // The reason is the one that a verdict would name; the advice is not: degraded never condemns.
    const auto why = decide(bad, Ending::finished, false);
    report(degraded_report(letterhead_.next(config_.mode), record, why),
           fmt::format("DEGRADED: {}: {}", why.code, why.message));
}

void Watch::take_notices() {
    for (const auto& notice : seen_.add(sight_.notices)) {
        const auto json = notice_json(notice);
        remember();
        report(notice_report(letterhead_.next(config_.mode), record(), json),
               fmt::format("notice: {} {} {}", notice.kind, to_text(notice.detail), notice.time));
    }
}

void Watch::report(const OrderedJson& report, std::string_view line) {
    log::warning("report", {{"says", std::string(line)}});
    world_.tell_console(line);
    outbox_.put(report);
}

// --- signs of life

void Watch::beat() {
    const Instant now = world_.clock.now();
    if (now < next_beat_) return;
    const auto every = config_.watch.heartbeat;
    next_beat_ = now + jitter_.between(every * 4 / 5, every);
    outbox_.pick_up(letterhead_.boot_id(), config_.report.deadline + run_grace);
    const OrderedJson notice = {
        {"kind", "heartbeat"},
        {"detail",
         {{"degraded", !hysteresis_.bad().empty()},
          {"next_seconds", std::chrono::ceil<std::chrono::seconds>(every).count()}}}};
    outbox_.put_once(notice_report(letterhead_.next(config_.mode), record(), notice));
}

void Watch::ping() {
    if (!world_.ping_every || world_.clock.now() < next_ping_ || is_overdue()) return;
    next_ping_ = world_.clock.now() + *world_.ping_every;
    world_.tell_manager("WATCHDOG=1");
}

void Watch::write_numbers(bool up) {
    if (!config_.metrics_textfile || numbers_.busy()) return;
    const auto text = metrics_text({.up = up,
                                    .findings = sight_.findings,
                                    .degraded = !hysteresis_.bad().empty(),
                                    .last_look = last_look_,
                                    .delivered = outbox_.delivered(),
                                    .undelivered = outbox_.undelivered(),
                                    .metadata_requests = sight_.metadata_requests});
    const auto deadline = Deadline::in(world_.clock, up ? numbers_limit : last_numbers_limit);
    numbers_.start("numbers", [this, text, path = *config_.metrics_textfile, deadline] {
        numbers_written_ = world_.publish(path, text, deadline);
    });
}

// --- the loop

bool Watch::idle() const {
    return !look_.busy() && !numbers_.busy() && !outbox_.busy();
}

void Watch::turn() {
    take_sight();
    if (numbers_.take_end()) {
        if (!numbers_written_ && !numbers_fail_) {
            log::error("metrics.textfile can't be written",
                       {{"error", numbers_written_.error().message}});
        }
        numbers_fail_ = !numbers_written_;
    }
    if (reloading_) {
        outbox_.turn(false);
        if (idle()) finish_reload();
    }
    if (!reloading_) {
        begin_look();
        beat();
        outbox_.turn(true);
    }
    ping();
}

Instant Watch::next_turn() const {
    const Instant now = world_.clock.now();
    Instant next = std::min(look_.busy() ? Instant::max() : next_look_, next_beat_);
    next = std::min(next, outbox_.next());
    if (world_.ping_every) next = std::min(next, std::max(next_ping_, now + slice));
    if (!idle() || reloading_) next = std::min(next, now + slice);
    return next;
}

bool Watch::run() {
    recall();
    outbox_.open(config_.report.to);
    outbox_.pick_up(letterhead_.boot_id(), config_.report.deadline + run_grace);
    world_.eyes.follow(config_);
    world_.tell_manager("READY=1");
    while (true) {
        turn();
        switch (world_.wait(next_turn())) {
        case Wake::time: break;
        case Wake::reload: begin_reload(); break;
        case Wake::stop: return say_goodbye();
        }
    }
}

/// The sinks are made anew, and that takes a process with one thread: nothing new begins until
/// what goes on has ended.
void Watch::begin_reload() {
    if (reloading_) return;
    reloading_ = true;
    world_.tell_manager(reloading_state());
}

void Watch::finish_reload() {
    reloading_ = false;
    if (auto config = world_.read_config()) {
        config_ = std::move(*config);
        hysteresis_.restart(rule());
        outbox_.open(config_.report.to);
        world_.eyes.follow(config_);
        const Instant now = world_.clock.now();
        next_look_ = now;
        next_beat_ = first_beat();
        log::info("the configuration was read anew");
    } else {
        log::error("the configuration is wrong, so the old one is kept");
    }
    world_.tell_manager("READY=1");
}

bool Watch::say_goodbye() {
    const auto deadline = Deadline::in(world_.clock, goodbye_limit);
    world_.tell_manager("STOPPING=1");
    log::info("told to stop");
    outbox_.put(stopping_report(letterhead_.next(config_.mode), record()));
    bool ended = outbox_.close(deadline);
    // A look is not waited for: it changes nothing, and its disk may be stuck.
    if (look_.busy() && !look_.take_end()) ended = false;
    return write_last_numbers() && ended;
}

/// They say that nobody looks any more, after those that are just being written.
bool Watch::write_last_numbers() {
    const auto deadline = Deadline::in(world_.clock, last_numbers_limit);
    bool begun = !config_.metrics_textfile;
    while (true) {
        (void)numbers_.take_end();
        if (!numbers_.busy()) {
            if (begun) return true;
            write_numbers(false);
            begun = true;
        }
        if (deadline.passed(world_.clock)) return false;
        world_.clock.sleep_until(std::min(deadline.at, world_.clock.now() + slice / 5));
    }
}

// --- what another process of this boot has told before

void Watch::remember() const {
    const nlohmann::json memory = {{"boot_id", letterhead_.boot_id()},
                                   {"bad", hysteresis_.bad()},
                                   {"notices", seen_.to_json()}};
    const auto written = world_.files.write(memory_file, to_text(memory));
    if (!written) log::warning("can't be kept", {{"error", written.error().message}});
}

void Watch::recall() try {
    const auto text = world_.files.read(memory_file);
    const auto memory = text ? parse_json(*text) : nlohmann::json();
    if (!memory.is_object() || memory.at("boot_id") != letterhead_.boot_id()) return;
    seen_ = SeenNotices::from_json(memory.at("notices"));
    hysteresis_.assume_bad(memory.at("bad").get<std::vector<probes::Finding>>());
} catch (const nlohmann::json::exception& error) {
    log::warning("what was told before can't be understood", {{"error", error.what()}});
}

} // namespace muster
