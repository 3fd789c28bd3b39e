// The stages of a report as bars, for those who draw them. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace muster {

struct Bar {
    std::string name;
    double start = 0, end = 0; ///< seconds; 0 <= start <= end
    bool open = false;         ///< it never came to its end
    double waited = 0;         ///< seconds from its start in which there was nothing but waiting
    std::string note;          ///< "3 retries", "7 looks", "gave up"; "" where there is none
    bool critical = false;     ///< the end had to wait for it
};

/// Of anything that calls itself a report, in the order in which they began.
[[nodiscard]] std::vector<Bar> bars_of(const nlohmann::json& report);

/// A member of a report as text, "-" where there is none.
[[nodiscard]] std::string text_or_dash(const nlohmann::json& json, const char* key);

/// The last end of all.
[[nodiscard]] double end_of(const std::vector<Bar>& bars);

} // namespace muster
