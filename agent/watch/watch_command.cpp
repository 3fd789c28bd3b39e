// `muster watch` on a real machine.
#include <csignal>
#include <cstdio>
#include <random>
#include <unistd.h>

#include "agent/commands.h"
#include "agent/console.h"
#include "agent/look.h"
#include "agent/run.h"
#include "agent/sys/isolated_write.h"
#include "agent/sys/log.h"
#include "agent/sys/notify.h"
#include "agent/sys/resident.h"
#include "agent/sys/worker.h"
#include "agent/watch/watch.h"
#include "agent/watch/watching.h"

namespace muster {
namespace {

// poll's time stands still while the machine is suspended.
constexpr Duration longest_wait = std::chrono::seconds(10);

Wake wait_for_signal(const Clock& clock, int signals, Instant until) {
    while (true) {
        const auto left = Deadline{until}.left(clock);
        const auto signal = next_signal(signals, std::min(left, longest_wait));
        if (signal) return *signal == SIGHUP ? Wake::reload : Wake::stop;
        if (clock.now() >= until) return Wake::time;
    }
}

void tell(const std::string& socket, std::string_view state) {
    const auto told = notify_manager(socket, state);
    if (!told) log::debug("the service manager is not told", {{"error", told.error().message}});
}

} // namespace

int watch(const Options& options) {
    const Files files;
    if (is_switched_off(files)) return all_well;
    // Before the first look: a signal that comes earlier than that must not be lost.
    const auto signals = catch_signals();
    if (const auto locked = stay_resident(); !locked) {
        log::warning("a root volume that hangs may hang us", {{"error", locked.error().message}});
    }
    auto config = usable_config(options);
    if (!config) return bad_configuration;
    auto real = RealWorld::make();
    auto publisher = real ? make_isolate((*real)->clock()) : fail(real.error());
    if (!signals || !real || !publisher) {
        const auto& error = !signals ? signals.error() : !real ? real.error() : publisher.error();
        log::error("can't start", {{"error", error.message}});
        return something_wrong;
    }
    auto& clock = (*real)->clock();
    const auto eyes = make_real_eyes(**real);
    const auto manager = manager_socket();
    FarSpool far((*real)->isolate(), clock, files);
    Watch resident(
        {.files = files,
         .clock = clock,
         .eyes = *eyes,
         .make_sink =
             [&](const SinkConfig& sink, std::function<bool()> cancelled) {
                 return make_sink(sink, files, clock, std::move(cancelled));
             },
         .wait = [&](Instant until) { return wait_for_signal(clock, signals->get(), until); },
         .read_config = [&] { return usable_config(options); },
         .tell_manager = [&](std::string_view state) { tell(manager, state); },
         .publish =
             [&](const std::string& path, std::string_view text, Deadline deadline) {
                 return publish_isolated(**publisher, path, text, deadline);
             },
         .tell_console = &console_line,
         .ping_every = watchdog_interval(),
         .seed = std::random_device{}(),
         .far = &far},
        std::move(*config));
    if (resident.run()) return all_well;
    // A thread that waits for a stuck disk is left behind, and nothing that it uses may go.
    std::fflush(nullptr);
    _exit(all_well);
}

} // namespace muster
