// `muster run`.
#pragma once

#include "agent/config/config.h"
#include "agent/options.h"
#include "agent/sys/files.h"

namespace muster {

/// The whole boot. The verdict is sent on every path. Gives the exit status.
[[nodiscard]] int run(const Options& options);

/// `muster run --if-died`, which the service manager runs after `muster run`: where that has ended
/// and left no verdict, `failed / internal` is reported. Nothing is looked at, and no disk is
/// touched. Gives 0 where there is nothing to be said, else the report's exit status.
[[nodiscard]] int report_death(const Options& options);

/// The configuration, with all mistakes in it: one that can't be read at all is as wrong as one
/// that makes no sense.
[[nodiscard]] LoadedConfig load_for_run(const Files& files, const Options& options);

/// By the kernel argument muster=off or the file /etc/muster/disabled; then that is logged.
[[nodiscard]] bool is_switched_off(const Files& files);

} // namespace muster
