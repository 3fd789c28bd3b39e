#include "agent/tune/survival.h"

#include <algorithm>

namespace muster::tune {

Survival::Survival(const Times& times) {
    for (const auto& [_, ends] : times) {
        found_ += ends.found;
        gave_up_ += ends.gave_up;
    }
    unsigned at_risk = count();
    double waiting = 1;
    for (const auto& [milliseconds, ends] : times) {
        // Whoever gave up at this very time had waited through it.
        waiting *= 1 - static_cast<double>(ends.found) / at_risk;
        steps_.push_back({.at = milliseconds / 1000.0,
                          .found = ends.found,
                          .gave_up = ends.gave_up,
                          .at_risk = at_risk,
                          .waiting = waiting});
        at_risk -= ends.found + ends.gave_up;
    }
}

double Survival::waiting(double seconds) const {
    const auto next = std::ranges::upper_bound(steps_, seconds, {}, &Step::at);
    return next == steps_.begin() ? 1 : std::prev(next)->waiting;
}

std::optional<double> Survival::quantile(double share) const {
    const auto step = std::ranges::find_if(
        steps_, [share](const Step& s) { return s.found > 0 && 1 - s.waiting >= share - 1e-12; });
    return step == steps_.end() ? std::nullopt : std::optional(step->at);
}

double Survival::hazard(double from, double to) const {
    double found = 0;
    double waited = 0; // seconds, by all
    for (const auto& step : steps_) {
        if (step.at <= from) continue;
        const bool ends_here = step.at <= to;
        if (ends_here) found += step.found;
        waited += (step.found + step.gave_up) * ((ends_here ? step.at : to) - from);
    }
    return waited > 0 ? found / waited : 0;
}

unsigned Survival::at_risk(double seconds) const {
    const auto next = std::ranges::upper_bound(steps_, seconds, {}, &Step::at);
    return next == steps_.end() ? 0 : next->at_risk;
}

} // namespace muster::tune
