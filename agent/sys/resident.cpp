#include "agent/sys/resident.h"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <malloc.h>
#include <sys/mman.h>

namespace muster {

Result<void> stay_resident() {
    // "UTC0" is a rule, not the name of a file, though glibc looks for one once.
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
    // An arena for each thread is 64 MiB of addresses; all of it would count as locked.
    ::mallopt(M_ARENA_MAX, 1);
    if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        return fail_errno(errno, "can't lock memory");
    }
    return {};
}

} // namespace muster
