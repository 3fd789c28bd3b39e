// What libblkid finds on a disk. Can hang for ever: only for a helper of isolate. Private to sys.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/disk.h"
#include "agent/sys/result.h"

namespace muster {

/// All signatures, backup copies too, not only the one that counts for mounting; of one type no
/// more than 16, and 128 in all.
[[nodiscard]] Result<std::vector<Signature>> find_signatures(const std::string& node);

} // namespace muster
