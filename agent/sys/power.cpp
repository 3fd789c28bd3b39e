#include "agent/sys/power.h"

#include <cerrno>
#include <sys/reboot.h>

namespace muster {

Result<void> power_off() {
    if (::reboot(RB_POWER_OFF) != 0) return fail_errno(errno, "can't power off");
    return {};
}

} // namespace muster
