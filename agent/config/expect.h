// `ephemeral.expect`: the one value with more than one shape.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "agent/config/config.h"

namespace muster {

inline constexpr unsigned kMostDisks = 128; ///< far above any instance type (24)

/// "any" | "none" | 4 | {"min": 2} | {"by_type": {"i4i.large": 1}, "default": "any"}
[[nodiscard]] std::optional<ExpectationByType> parse_expectation(const nlohmann::json& value);

} // namespace muster
