// The outside world, as the agent's parts are given it. Only main names the real ones.
#pragma once

#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/command.h"
#include "agent/sys/files.h"
#include "agent/sys/http.h"
#include "agent/sys/kernel.h"

namespace muster {

struct World {
    const Files& files;
    Clock& clock;
    Kernel& kernel;
    CommandRunner& commands;
    HttpClient& metadata_http; ///< used by the metadata stage alone
    /// Held by commands that write (see Command::writes_disks).
    std::string disk_lock;
};

} // namespace muster
