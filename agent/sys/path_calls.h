// What is asked about a folder or a mount point, as it goes to a helper and comes back. Private to
// sys.
#pragma once

#include "agent/sys/kernel.h"
#include "agent/sys/wire.h"

namespace muster {

// In the helper.
[[nodiscard]] Result<wire::Json> do_space(const wire::Json& argument);
[[nodiscard]] Result<wire::Json> do_folder(const wire::Json& argument);
[[nodiscard]] Result<wire::Json> do_mount(const wire::Json& argument);
[[nodiscard]] Result<wire::Json> do_mount_point(const wire::Json& argument);

// In the agent: the answers.
[[nodiscard]] FolderEntry to_entry(const wire::Json& answer);
[[nodiscard]] MountPoint to_mount_point(const wire::Json& answer);

} // namespace muster
