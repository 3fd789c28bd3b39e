#include "agent/real_world.h"

#include <exception>

#include "agent/boot.h"

namespace muster {
namespace {

constexpr const char* disk_lock = "/run/muster/disks.lock";

void tell_internal(Progress& progress, const std::string& why) {
    progress.finding(probes::failed("agent", "boot job", "internal", why));
}

} // namespace

Result<std::unique_ptr<RealWorld>> RealWorld::make() {
    auto clock = make_system_clock();
    auto isolate = make_isolate(*clock);
    if (!isolate) return fail(isolate.error());
    return std::unique_ptr<RealWorld>(new RealWorld(std::move(clock), std::move(*isolate)));
}

RealWorld::RealWorld(std::unique_ptr<Clock> clock, std::unique_ptr<Isolate> isolate)
    : clock_(std::move(clock)), isolate_(std::move(isolate)), disk_lock_(disk_lock),
      kernel_(make_kernel(*clock_, *isolate_)),
      commands_(make_command_runner(*clock_, *isolate_, disk_lock_)),
      metadata_http_(make_http_client({.tls = false})) {}

void boot_in_real_world(const Config& config, Instant start, Deadline deadline,
                        const Worker::Send& send) {
    auto real = RealWorld::make();
    const auto clock = make_system_clock();
    Progress progress(*clock, start, [&](const nlohmann::json& event) {
        send(encoded(event, Worker::max_message));
    });
    if (!real) return tell_internal(progress, real.error().message);
    try {
        boot((*real)->world(), config, progress, deadline);
    } catch (const std::exception& error) {
        // No function of ours throws; what comes here is a mistake or the memory's end.
        tell_internal(progress, error.what());
    }
}

} // namespace muster
