// `muster run --if-died`: the last word for a run that can't speak any more.
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

#include "agent/run.h"
#include "agent/session.h"
#include "agent/standing.h"
#include "agent/sys/fields.h"
#include "agent/sys/lock.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

// Whoever stops a service gives it seconds. What is not delivered by then is in the spool.
constexpr Duration last_words = std::chrono::seconds(10);

/// What the service manager knows of the end (systemd.exec(5), $SERVICE_RESULT).
std::string how_it_ended() {
    const auto of = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    const auto result = of("SERVICE_RESULT");
    if (result.empty()) return "nobody says how";
    return fmt::format("{}, {} {}", result, of("EXIT_CODE"), of("EXIT_STATUS"));
}

bool has_verdict(const nlohmann::json& status) {
    const auto outcome = fields::text(status, "outcome");
    return outcome == "ready" || outcome == "failed";
}

} // namespace

int report_death(const Options& options) {
    const Files files;
    if (is_switched_off(files)) return 0;
    const auto lock = Lock::take("/run/muster/lock");
    if (!lock && lock.error().code == Errc::conflict) return 0; // it lives
    const auto status = read_status(files);
    if (has_verdict(status)) return 0;

    const auto clock = make_system_clock();
    auto config = load_for_run(files, options).config;
    config.report.deadline = std::min(config.report.deadline, last_words);
    auto record = record_by_firmware(files);
    if (auto known = instance_of(status); !known.id.empty()) record.instance = std::move(known);
    const auto message = "muster run ended without a verdict: " + how_it_ended();
    log::error("the agent died", {{"how", message}});
    record.findings.push_back(probes::failed("agent", "run", "internal", message));
    Session session(files, *clock, config);
    return session.conclude(record, Ending::died);
}

} // namespace muster
