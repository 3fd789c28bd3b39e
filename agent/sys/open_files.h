// Which programs have a block device open, read from /proc. In a helper: following a descriptor of
// a network filesystem may hang. Private to sys.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/kernel.h"

namespace muster {

/// As `Kernel::openers`. `only_dev`: descriptors of paths outside /dev are not followed, so that
/// nothing hangs. `proc`: "/proc".
[[nodiscard]] Result<Openers> find_openers(const std::string& proc,
                                           const std::vector<DeviceNumber>& devices, bool only_dev);

/// Of each device the first eight are kept; one that writes takes the place of one that only reads,
/// so that many readers hide no writer.
void keep_opener(std::vector<Opener>& found, Opener opener);

} // namespace muster
