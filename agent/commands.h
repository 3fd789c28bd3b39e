// The commands that change nothing on a disk. Each gives its exit status.
#pragma once

#include "agent/options.h"

namespace muster {

[[nodiscard]] int show_plan(const Options& options);
[[nodiscard]] int show_metadata(const Options& options);
[[nodiscard]] int show_probes(const Options& options);
[[nodiscard]] int show_status(const Options& options);
[[nodiscard]] int show_config(const Options& options);
[[nodiscard]] int deliver_spool(const Options& options);
[[nodiscard]] int tune_waits(const Options& options);
/// Stays until SIGTERM; SIGHUP rereads the configuration.
[[nodiscard]] int watch(const Options& options);

} // namespace muster
