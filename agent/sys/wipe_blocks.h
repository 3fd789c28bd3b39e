// Zeros on a disk, under one exclusive open. The only code here that writes to a block device; in a
// helper, since it may hang. Private to sys.
#pragma once

#include "agent/sys/kernel.h"

namespace muster {

/// As `Kernel::wipe`.
[[nodiscard]] Result<Wiped> wipe_blocks(const WipeRequest& request);

} // namespace muster
