// To go on when the root volume answers no more: nothing that this process needs later on may still
// lie there.
#pragma once

#include "agent/sys/result.h"

namespace muster {

/// Keeps all of this process's memory where it is, the program's own pages too: else the next
/// function to be called for the first time would be read from a root that hangs. And settles the
/// time zone (UTC), which libcrypto and the log would look up in /etc/localtime. Not inherited by
/// children, which need none: what they share is locked by us. `denied` or `transient` without
/// CAP_IPC_LOCK and under a small RLIMIT_MEMLOCK: the rest works all the same.
[[nodiscard]] Result<void> stay_resident();

} // namespace muster
