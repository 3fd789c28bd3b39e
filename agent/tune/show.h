// What was learned: as a table for a person, as JSON, as a configuration, as a picture. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/tune/advice.h"

namespace muster::tune {

/// A part of the curve, between two of its quantiles.
struct Band {
    double from = 0, to = 0; ///< seconds
    unsigned waiting = 0;    ///< so many still waited at its beginning
    double hazard = 0;       ///< of those that wait, the share that is found each second
};
/// `shares`: where the bands end, rising: {0.1, 0.5, 0.9, 1}.
[[nodiscard]] std::vector<Band> bands_of(const Survival& survival,
                                         const std::vector<double>& shares);

/// "0.0949", "1000": three digits of a hazard.
[[nodiscard]] std::string per_second(double hazard);

/// At most 80 columns wide.
[[nodiscard]] std::string as_text(const Collected& collected, const std::vector<Advice>& advices,
                                  const Costs& costs);
[[nodiscard]] nlohmann::ordered_json
as_json(const Collected& collected, const std::vector<Advice>& advices, const Costs& costs);

/// A layer for conf.d. `config`: what it will be laid over; a volume has a place in it only where
/// `ebs` names it. Advice under the kind "ebs" goes to all of these.
struct Fragment {
    std::string text;                 ///< "": there is nothing to write
    std::vector<std::string> without; ///< the waits that have no key, and why, for a person
};
[[nodiscard]] Fragment as_config(const std::vector<Advice>& advices, const Costs& costs,
                                 const Config& config);

/// SVG: each curve with its looks, deadline and hazard, on a logarithmic scale of time.
[[nodiscard]] std::string as_picture(const std::vector<Advice>& advices);

} // namespace muster::tune
