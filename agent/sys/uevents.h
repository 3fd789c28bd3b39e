// Changes of block devices, as the kernel tells them.
#pragma once

#include <memory>

#include "agent/sys/clock.h"

namespace muster {

class BlockWatch {
  public:
    virtual ~BlockWatch() = default;
    /// Returns when a block device has come, gone or changed since the last call (since the watch
    /// was made, for the first), at `until`, or when it is time to look anyway: events can be lost.
    virtual void wait(Instant until) = 0;
};

/// Listens to the kernel's uevents (netlink, before udev has had them, so nobody waits for udev)
/// and lets its caller look once a second besides; ten times a second where it can't listen.
[[nodiscard]] std::unique_ptr<BlockWatch> watch_block_devices();

} // namespace muster
