#include "agent/run.h"

#include <cstdio>
#include <fmt/format.h>
#include <optional>

#include "agent/boot.h"
#include "agent/console.h"
#include "agent/delivery/far_spool.h"
#include "agent/delivery/on_failure.h"
#include "agent/hold.h"
#include "agent/metadata.h"
#include "agent/real_world.h"
#include "agent/session.h"
#include "agent/stages.h"
#include "agent/sys/json_text.h"
#include "agent/sys/lock.h"
#include "agent/sys/log.h"
#include "agent/sys/notify.h"
#include "agent/sys/power.h"
#include "agent/sys/resident.h"
#include "agent/sys/worker.h"
#include "agent/timeline/timeline.h"
#include "probes/kernel_evidence.h"
#include "probes/root_io.h"

namespace muster {

LoadedConfig load_for_run(const Files& files, const Options& options) {
    const auto found = read_config_layers(files, options.configs);
    auto loaded = load_config(found.layers);
    if (found.error) {
        loaded.mistakes.push_back(
            {.file = found.unread, .key = "", .problem = found.error->message});
    }
    return loaded;
}

namespace {

void add_mistakes(const LoadedConfig& loaded, Record& record) {
    for (const auto& mistake : loaded.mistakes) {
        log::error("configuration", {{"mistake", mistake.text()}});
        auto finding = probes::failed("config", mistake.key.empty() ? mistake.file : mistake.key,
                                      mistake.unknown_key ? "config-unknown-key" : "config-invalid",
                                      mistake.text());
        // An older image must boot with a newer configuration.
        finding.gating = !mistake.unknown_key;
        record.findings.push_back(std::move(finding));
    }
}

/// The unit's own time-out fits the default deadline; an owner's longer one is made known.
void ask_for_time(const Config& config) {
    auto all = config.deadline + std::chrono::minutes(1);
    if (config.on_failure.action != OnFailureConfig::Action::none)
        all += 2 * config.on_failure.delay; // with its jitter
    const auto told = notify_manager(
        manager_socket(),
        fmt::format("EXTEND_TIMEOUT_USEC={}",
                    std::chrono::duration_cast<std::chrono::microseconds>(all).count()));
    if (!told) log::warning("no time to be asked for", {{"error", told.error().message}});
}

bool is_stuck(const probes::RootIo& root) {
    const auto& failure = root.failure();
    return failure && failure->code == "root-stuck";
}

/// Adds up what the boot job tells until it ends, one way or another.
Ending follow(Worker& worker, Record& record, Session& session, Clock& clock, int signals,
              probes::RootIo& root) {
    LiveProgress live(clock, session.start());
    // The job keeps its own deadline; a second later we no longer believe that it will.
    Deadline limit{session.work_deadline().at + std::chrono::seconds(1)};
    // Once it has told all, it need not end in peace: a look that nobody needs may hang.
    constexpr Duration farewell = std::chrono::milliseconds(200);
    // Whoever stops a whole unit signals each of its processes, in no certain order.
    constexpr Duration stopped_with_us = std::chrono::milliseconds(100);
    while (true) {
        session.announce(record);
        session.show(record);
        live.tick(record);
        root.tick();
        if (is_stuck(root)) {
            // The job would only hang on it, too.
            worker.kill();
            return Ending::finished;
        }
        const auto next =
            worker.next(clock, limit.clipped(clock, std::chrono::milliseconds(200)), signals);
        switch (next.event) {
        case Worker::Event::message: {
            const auto event = parse_json(next.message);
            record.add(event);
            live.show(event, record);
            if (record.finished) limit = limit.clipped(clock, farewell);
            break;
        }
        case Worker::Event::ended:
            if (record.finished) return Ending::finished;
            if (is_interrupted(signals, stopped_with_us)) return Ending::interrupted;
            log::error("the boot job died", {{"how", worker.how_it_died()}});
            return Ending::died;
        case Worker::Event::interrupted: worker.kill(); return Ending::interrupted;
        case Worker::Event::deadline: break;
        }
        // One that still talks is heard out, for a second: what it has found may be in the pipe.
        const bool silent = next.event == Worker::Event::deadline;
        if (clock.now() >= limit.at + (silent ? Duration::zero() : std::chrono::seconds(1))) {
            worker.kill();
            // It may hang on its way out, with all its work done.
            return record.finished ? Ending::finished : Ending::deadline;
        }
    }
}

/// What root and kernel are like at the end. Whoever stops us is not kept waiting.
void look_once_more(const World& world, probes::RootIo& root, Record& record, Ending ending,
                    Deadline deadline) {
    if (const auto& failure = root.failure()) {
        record.findings.push_back(*failure);
    } else if (ending != Ending::interrupted) {
        const Deadline least = Deadline::in(world.clock, std::chrono::seconds(2));
        record.findings.push_back(root.finish({std::max(deadline.at, least.at)}));
    }
    for (auto& finding : probes::kernel_evidence(world.files, world.kernel))
        record.findings.push_back(std::move(finding));
}

/// Needs nothing of the root volume: the program is in memory, and so is what it asks.
void act_on_failure(const Config& config, const Session& session, const World& world, int signals) {
    probes::MetadataService metadata(world.metadata_http, world.clock,
                                     metadata_access(config.metadata));
    after_failure(config, session.report(),
                  {.clock = world.clock,
                   .look_for_hold =
                       [&](Deadline deadline) {
                           return is_held(config.hold, world.files, metadata, world.clock,
                                          deadline);
                       },
                   .wait =
                       [&](Duration delay) {
                           if (signals >= 0) return !is_interrupted(signals, delay);
                           world.clock.sleep_until(world.clock.now() + delay);
                           return true;
                       },
                   .power_off = &power_off,
                   .tell_console = &console_line});
}

/// Of what was written to the disks. Only now: udev looks into each of them then, and the verdict
/// had better not wait for a processor. A command that was left behind and still writes keeps its
/// nodes; the next run drops them.
void tell_udev(const World& world) {
    if (nobody_writes(world)) world.kernel.drop_quiet_nodes();
}

void print(const Session& session, bool json) {
    const auto text = json ? serialized(session.report()) + "\n"
                           : describe_report(session.report()) + draw_timeline(session.report());
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

} // namespace

bool is_switched_off(const Files& files) {
    const auto arguments = " " + files.read_value("/proc/cmdline").value_or("") + " ";
    const bool off =
        files.exists("/etc/muster/disabled") || arguments.find(" muster=off ") != std::string::npos;
    if (off) log::warning("switched off by muster=off or /etc/muster/disabled: nothing is done");
    return off;
}

int run(const Options& options) {
    if (options.if_died) return report_death(options);
    const Files files;
    if (is_switched_off(files)) return 0;
    // First of all: from here on, whoever stops us gets a verdict.
    const auto signals = catch_signals();
    if (!signals) log::error("signals can't be caught", {{"error", signals.error().message}});
    const auto lock = Lock::take("/run/muster/lock");
    if (!lock && lock.error().code == Errc::conflict) {
        log::error("another run is under way", {{"error", lock.error().message}});
        return 2;
    }

    if (const auto locked = stay_resident(); !locked) {
        log::warning("a root volume that hangs may hang us", {{"error", locked.error().message}});
    }
    const auto clock = make_system_clock();
    const auto loaded = load_for_run(files, options);
    Session session(files, *clock, loaded.config);
    Record record = record_by_firmware(files);
    add_mistakes(loaded, record);
    // From here on, whoever waits for us knows that we are there, and for how long.
    session.show(record);
    ask_for_time(loaded.config);
    if (!lock) {
        // Another run may be at the disks, so they are left alone; but nobody else reports for us.
        log::error("no lock to be had", {{"error", lock.error().message}});
        record.findings.push_back(
            probes::failed("agent", "lock", "internal", lock.error().message));
    }
    const auto give_verdict = [&](Ending ending) {
        const int status = session.conclude(record, ending);
        print(session, options.json);
        return status;
    };
    const auto real = RealWorld::make();
    std::optional<FarSpool> far;
    if (!real) {
        log::error("no helpers", {{"error", real.error().message}});
        record.findings.push_back(
            probes::failed("agent", "helpers", "internal", real.error().message));
    } else if (loaded.config.mode == Mode::enforce) { // else no disk is written
        session.spool_to(far.emplace((*real)->isolate(), *clock, files));
    }
    if (!loaded.valid()) return give_verdict(Ending::finished), 2;
    if (!lock || !real) return give_verdict(Ending::finished);

    // Root is watched from here, where nothing is needed of it any more.
    const auto here = (*real)->world();
    probes::RootIo root(here.files, here.kernel, here.clock, loaded.config.root.io_deadline,
                        loaded.config.mode == Mode::enforce);

    // The job runs in a process of its own: whatever becomes of it, the verdict goes out from here.
    auto worker = Worker::start([&](const Worker::Send& send) {
        boot_in_real_world(loaded.config, session.start(), session.work_deadline(), send);
    });
    if (!worker) log::error("no boot job", {{"error", worker.error().message}});
    const int interrupt = signals ? signals->get() : -1;
    const Ending ending =
        worker ? follow(*worker, record, session, *clock, interrupt, root) : Ending::died;
    look_once_more(here, root, record, ending, session.work_deadline());
    const int status = give_verdict(ending);
    tell_udev(here);
    act_on_failure(loaded.config, session, here, interrupt);
    return status;
}

} // namespace muster
