// The check of one layer by itself: unknown keys and wrong values.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/table.h"

namespace muster {

[[nodiscard]] std::vector<Mistake> check_layer(const KeyTable& table, const std::string& file,
                                               const Json& document);

/// The one of `known` that was most likely meant; empty where none is near.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& known);

} // namespace muster
