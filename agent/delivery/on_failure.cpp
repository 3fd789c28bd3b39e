#include "agent/delivery/on_failure.h"

#include <fmt/format.h>
#include <random>

#include "agent/sys/log.h"
#include "agent/sys/schedule.h"

namespace muster {
namespace {

// A service that fails is asked again for so long; the machine has failed already.
constexpr Duration hold_limit = std::chrono::seconds(5);

bool condemns(const nlohmann::ordered_json& report) {
    return report.value("outcome", "") == "failed" && report.value("recreate", false) &&
           report.value("enforced", false);
}

bool is_free(const LastActs& acts) {
    const auto hold = acts.look_for_hold(Deadline::in(acts.clock, hold_limit));
    if (hold.held) {
        acts.tell_console("not powering off: " + hold.why);
        log::warning("not powering off", {{"why", hold.why}});
    } else if (!hold.why.empty()) {
        log::warning("looking for a hold", {{"error", hold.why}});
    }
    return !hold.held;
}

} // namespace

void after_failure(const Config& config, const nlohmann::ordered_json& report,
                   const LastActs& acts) {
    if (config.on_failure.action != OnFailureConfig::Action::poweroff || !condemns(report)) return;
    if (!is_free(acts)) return;
    const auto delay = Schedule({}, std::random_device{}())
                           .between(config.on_failure.delay, config.on_failure.delay * 3 / 2);
    const auto notice = fmt::format("powering off in {:.0f} s; held by {}, or by the tag {}",
                                    seconds(delay), config.hold.file, config.hold.tag);
    acts.tell_console(notice);
    log::warning(notice);
    if (!acts.wait(delay)) {
        log::warning("told to stop, so the machine stays on");
        return;
    }
    if (!is_free(acts)) return;
    acts.tell_console("powering off now");
    const auto gone = acts.power_off();
    if (!gone) log::error("still on", {{"error", gone.error().message}});
}

} // namespace muster
