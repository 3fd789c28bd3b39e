// What is asked about a disk, as it goes to a helper and comes back. Private to sys.
#pragma once

#include <vector>

#include "agent/sys/kernel.h"
#include "agent/sys/wire.h"

namespace muster {

// In the helper.
[[nodiscard]] Result<wire::Json> do_content(const wire::Json& argument);
[[nodiscard]] Result<wire::Json> do_openers(const wire::Json& argument);
[[nodiscard]] Result<wire::Json> do_wipe(const wire::Json& argument);

// In the agent: the arguments, and the answers.
[[nodiscard]] wire::Json from_devices(const std::vector<DeviceNumber>& devices, bool only_dev);
[[nodiscard]] wire::Json from_wipe(const WipeRequest& request);
[[nodiscard]] DiskContent to_content(const wire::Json& answer);
[[nodiscard]] Openers to_openers(const wire::Json& answer);

} // namespace muster
