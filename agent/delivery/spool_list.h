// What is still in the spool, for a person and as JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "agent/delivery/spool_folder.h"

namespace muster {

/// [{"sink", "outcome", "boot_id", "sequence", "time"}]
[[nodiscard]] nlohmann::ordered_json list_spool(const SpoolContent& content);

/// Lines for a person; "" where nothing waits.
[[nodiscard]] std::string describe_spool(const SpoolContent& content);

} // namespace muster
