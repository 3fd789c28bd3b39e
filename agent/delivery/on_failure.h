// What a machine that failed does to itself, once its report is delivered or has had its time.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "agent/config/config.h"
#include "agent/hold.h"
#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster {

/// What is needed of the world for that; a test stands in for it.
struct LastActs {
    Clock& clock;
    std::function<Hold(Deadline deadline)> look_for_hold;
    /// Waits for so long. False: somebody told us to stop, and the machine stays.
    std::function<bool(Duration)> wait;
    std::function<Result<void>()> power_off;
    /// For people, whatever becomes of the log.
    std::function<void(std::string_view line)> tell_console;
};

/// Powers off where the configuration says so, and the verdict is `run`'s own `failed`, enforced,
/// with `recreate: true`: the same that makes a scaler end the machine, which with shutdown
/// behaviour `terminate` is what this comes to. A foreign disk or a wrong configuration would be
/// there again on the next machine, and the data lost. Waits `on_failure.delay` and up to half of
/// it more, so that a fleet does not go in one second; held before or after that wait, it stays.
void after_failure(const Config& config, const nlohmann::ordered_json& report,
                   const LastActs& acts);

} // namespace muster
