// Changes of block devices, as the kernel tells them.
#pragma once

#include <memory>

#include "agent/sys/clock.h"

namespace muster {

class BlockWatch {
  public:
    virtual ~BlockWatch() = default;
    /// Returns when a block device has come, gone or changed since the last call (since the watch
    /// was made, for the first), at `until`, and each second after an event, until all can be read.
    virtual void wait(Instant until) = 0;
};

/// Listens to the kernel's uevents (netlink, before udev has had them, so nobody waits for udev),
/// which can be lost: `until` is when to look anyway. Where it can't, it returns each 100 ms.
[[nodiscard]] std::unique_ptr<BlockWatch> watch_block_devices();

} // namespace muster
