// `muster run`.
#pragma once

#include "agent/options.h"
#include "agent/sys/files.h"

namespace muster {

/// The whole boot. The verdict is sent on every path. Gives the exit status.
[[nodiscard]] int run(const Options& options);

/// By the kernel argument muster=off or the file /etc/muster/disabled; then that is logged.
[[nodiscard]] bool is_switched_off(const Files& files);

} // namespace muster
