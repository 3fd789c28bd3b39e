// The folder that a configured mount point leads to. Can hang for ever: only for a helper of
// isolate. Private to sys.
#pragma once

#include <optional>
#include <string>

#include "agent/sys/fd.h"
#include "agent/sys/mounts.h"
#include "agent/sys/result.h"

namespace muster {

struct FoundFolder {
    Fd folder;        ///< O_PATH; empty where the folder is missing
    std::string path; ///< as the kernel has it, without links
};

enum class IfMissing { leave, make };

/// Walks down from / by descriptors. A link is followed where root owns it and root alone can
/// replace it; any other is a `conflict`: its owner would choose what gets covered. An automount on
/// the way is triggered, one at the end is not.
[[nodiscard]] Result<FoundFolder> find_folder(const std::string& target, IfMissing missing);

/// The mount that begins at the folder, the topmost one; none where the folder is inside a mount.
[[nodiscard]] Result<std::optional<Mount>> mounted_at(const Fd& folder);

/// What the kernel calls the folder now.
[[nodiscard]] Result<std::string> path_of(const Fd& folder);

} // namespace muster
