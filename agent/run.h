// `muster run`.
#pragma once

#include "agent/options.h"

namespace muster {

/// The whole boot. The verdict is sent on every path. Gives the exit status.
[[nodiscard]] int run(const Options& options);

} // namespace muster
