#include "agent/run.h"

#include <cstdio>

#include "agent/boot.h"
#include "agent/console.h"
#include "agent/real_world.h"
#include "agent/session.h"
#include "agent/sys/lock.h"
#include "agent/sys/log.h"
#include "agent/sys/worker.h"
#include "agent/timeline.h"

namespace muster {
namespace {

bool switched_off(const Files& files) {
    const auto arguments = " " + files.read_value("/proc/cmdline").value_or("") + " ";
    return files.exists("/etc/muster/disabled") ||
           arguments.find(" muster=off ") != std::string::npos;
}

/// A configuration that can't be read at all is as wrong as one that makes no sense.
LoadedConfig load(const Files& files, const Options& options) {
    const auto layers = find_config_layers(files, options.configs);
    if (layers) return load_config(*layers);
    auto loaded = load_config({});
    loaded.mistakes.push_back(
        {.file = "configuration", .key = "", .problem = layers.error().message});
    return loaded;
}

void add_mistakes(const LoadedConfig& loaded, Record& record) {
    for (const auto& mistake : loaded.mistakes) {
        log::error("configuration", {{"mistake", mistake.text()}});
        auto finding = probes::failed("config", mistake.key,
                                      mistake.unknown_key ? "config-unknown-key" : "config-invalid",
                                      mistake.text());
        // An older image must boot with a newer configuration.
        finding.gating = !mistake.unknown_key;
        record.findings.push_back(std::move(finding));
    }
}

/// Adds up what the boot job tells until it ends, one way or another.
Ending follow(Worker& worker, Record& record, Session& session, Clock& clock, int signals) {
    LiveProgress live(clock, session.start());
    // The job keeps its own deadline; a second later we no longer believe that it will.
    const Deadline limit{session.work_deadline().at + std::chrono::seconds(1)};
    while (true) {
        session.announce(record);
        live.tick(record);
        const auto next =
            worker.next(clock, limit.clipped(clock, std::chrono::milliseconds(200)), signals);
        switch (next.event) {
        case Worker::Event::message: {
            const auto event = nlohmann::json::parse(next.message, nullptr, false);
            record.add(event);
            live.show(event, record);
            break;
        }
        case Worker::Event::ended:
            if (record.finished) return Ending::finished;
            log::error("the boot job died", {{"how", worker.how_it_died()}});
            return Ending::died;
        case Worker::Event::interrupted: worker.kill(); return Ending::interrupted;
        case Worker::Event::deadline:
            if (!limit.passed(clock)) break;
            worker.kill();
            return Ending::deadline;
        }
    }
}

void print(const Session& session, bool json) {
    const auto text = json ? serialized(session.report()) + "\n"
                           : describe_report(session.report()) + draw_timeline(session.report());
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

} // namespace

int run(const Options& options) {
    const Files files;
    if (switched_off(files)) {
        log::warning("switched off by muster=off or /etc/muster/disabled: nothing is done");
        return 0;
    }
    const auto lock = Lock::take("/run/muster/lock");
    if (!lock) {
        log::error("another run is under way", {{"error", lock.error().message}});
        return 2;
    }
    const auto signals = catch_signals();
    if (!signals) log::error("signals can't be caught", {{"error", signals.error().message}});

    const auto clock = make_system_clock();
    const auto loaded = load(files, options);
    Session session(files, *clock, loaded.config);
    Record record = session.first_record();
    add_mistakes(loaded, record);
    if (!loaded.valid()) {
        static_cast<void>(session.conclude(record, Ending::finished));
        print(session, options.json);
        return 2;
    }

    // The job runs in a process of its own: whatever becomes of it, the verdict goes out from here.
    auto worker = Worker::start([&](const Worker::Send& send) {
        boot_in_real_world(loaded.config, session.start(), session.work_deadline(), send);
    });
    const Ending ending =
        worker ? follow(*worker, record, session, *clock, signals ? signals->get() : -1)
               : Ending::died;
    const int status = session.conclude(record, ending);
    print(session, options.json);
    return status;
}

} // namespace muster
