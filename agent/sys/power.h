// The machine's own end.
#pragma once

#include "agent/sys/result.h"

namespace muster {

/// Powers off at once (reboot(2), LINUX_REBOOT_CMD_POWER_OFF) and does not return where that
/// worked. Nothing is synced: a sync waits for every disk, and one that is stuck would keep the
/// machine for ever. No program is started and no file is read. `denied` without CAP_SYS_BOOT.
[[nodiscard]] Result<void> power_off();

} // namespace muster
