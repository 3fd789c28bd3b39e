#include "agent/sys/resident.h"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <sys/mman.h>

namespace muster {

Result<void> stay_resident() {
    // "UTC0" is a rule, not the name of a file, though glibc looks for one once.
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
    if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        return fail_errno(errno, "can't lock memory");
    }
    return {};
}

} // namespace muster
