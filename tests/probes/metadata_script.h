// The simulator, and what it is told to do with metadata.
#pragma once

#include <fmt/format.h>
#include <string>

#include "tests/probes/simulated_service.h"

namespace muster::probes {

/// One for all tests: a start costs a fifth of a second.
inline testing::Simulator& simulator() {
    static testing::Simulator instance("healthy");
    return instance;
}

inline std::string replaced(std::string text, const std::string& mark, const std::string& by) {
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + by.size()))
        text.replace(at, mark.size(), by);
    return text;
}

/// The simulator's rules for metadata; @document etc. stand for paths.
inline std::string script(std::string rules) {
    rules = replaced(rules, "@document", "dynamic/instance-identity/document");
    rules = replaced(rules, "@list", "meta-data/block-device-mapping/");
    rules = replaced(rules, "@entry", "meta-data/block-device-mapping/ephemeral0");
    rules = replaced(rules, "@values", R"(meta-data/*", "dynamic/*)");
    rules = replaced(rules, "@token", "api/token");
    rules = replaced(rules, "@service", simulator().metadata);
    rules = replaced(rules, "@endpoint", simulator().endpoint);
    return fmt::format(R"({{"metadata": [{}]}})", rules);
}

} // namespace muster::probes
