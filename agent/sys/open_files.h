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

} // namespace muster
