// The boot's timeline for a person. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace muster {

/// A bar for each stage and command of a report, at most `width` columns wide: what was waited is
/// dotted, and a star marks what the end had to wait for (the critical path).
[[nodiscard]] std::string draw_timeline(const nlohmann::json& report, unsigned width = 80);

/// The same as a picture (SVG).
[[nodiscard]] std::string timeline_picture(const nlohmann::json& report);

/// The report's outcome, findings and waits as text.
[[nodiscard]] std::string describe_report(const nlohmann::json& report);

} // namespace muster
