// The rules that tie keys to each other; they are about the merged document.
#pragma once

#include <string>
#include <vector>

#include "agent/config/table.h"

namespace muster {

struct BrokenRule {
    std::string key;
    std::string problem;
};

/// `document` has all defaults. It may hold wrong values: a rule that needs one is silent, since
/// that value has its own mistake.
[[nodiscard]] std::vector<BrokenRule> broken_rules(const KeyTable& table, const Json& document);

} // namespace muster
