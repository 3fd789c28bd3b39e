#include "agent/tune/advice.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace muster::tune {
namespace {

constexpr double patience = 0.1;               // of a recreation: see Advice::cheapest_deadline
constexpr double unseen_matter = 0.01;         // of the waits
constexpr double longest_deadline = 48 * 3600; // of the configuration

std::string refusal_of(const Survival& survival) {
    if (survival.found() >= wanted_waits) return "";
    return fmt::format("too few to conclude from: {} that were found, wanted are {}",
                       survival.found(), wanted_waits);
}

struct Deadlines {
    std::size_t cheapest = 1; ///< moments
    std::size_t longest = 1;  ///< that costs hardly more
};

Deadlines deadlines_of(const Planner& planner, double recreation) {
    const auto cost = [&](std::size_t i) { return planner.cost_until_ready(i, recreation); };
    Deadlines found;
    for (std::size_t i = 1; i < planner.size(); ++i) {
        if (cost(i) < cost(found.cheapest)) found.cheapest = i;
    }
    const double least = cost(found.cheapest);
    const double concerned = planner.moment(found.cheapest).waiting;
    for (std::size_t i = found.cheapest; i < planner.size(); ++i) {
        const double more = (cost(i) - least) * (1 - planner.moment(i).waiting);
        if (more <= concerned * patience * (recreation + least)) found.longest = i;
    }
    return found;
}

/// Whole milliseconds, later rather than earlier.
double in_milliseconds(double seconds) {
    return std::ceil(seconds * 1000 - 1e-6) / 1000;
}

/// The last one is made at the deadline.
std::vector<double> before(std::vector<double> looks, double deadline) {
    looks.pop_back();
    std::vector<double> kept;
    for (const double look : looks) {
        const double at = in_milliseconds(look);
        if (at > 0 && at < deadline) kept.push_back(at);
    }
    return kept;
}

void conclude(Advice& advice, const Costs& costs) {
    const Smooth curve(advice.survival);
    const auto moments = moments_of(curve, advice.survival.count());
    double look = costs.look;
    while (true) {
        const Planner planner(moments, look);
        const auto [cheapest, longest] = deadlines_of(planner, costs.recreation);
        advice.cheapest_deadline = planner.moment(cheapest).at;
        // A configuration's deadline is a second at the least.
        advice.deadline = std::clamp(std::ceil(planner.moment(longest).at), 1.0, longest_deadline);
        advice.looks = before(planner.looks(longest), advice.deadline);
        if (advice.looks.size() <= most_looks) break;
        look = std::max(2 * look, 0.001);
    }
    advice.unavoidable = curve.mean(advice.deadline);
    const auto waiting = [&](double at) { return curve.waiting(at); };
    auto all = advice.looks;
    all.push_back(advice.deadline);
    advice.figures = figures_of(waiting, all);
    const auto& end = advice.survival.steps().back();
    advice.longer_unseen =
        end.waiting > unseen_matter && end.at < advice.cheapest_deadline + costs.recreation +
                                                    advice.figures.ready(costs.recreation);
    advice.each_second = figures_of(waiting, each_second(advice.deadline));
    advice.doubling = figures_of(waiting, doubling(advice.deadline));
}

} // namespace

Advice advise(const std::string& name, const Times& times, const Costs& costs) {
    Advice advice(name, times);
    advice.refusal = refusal_of(advice.survival);
    if (advice.refusal.empty()) conclude(advice, costs);
    return advice;
}

std::vector<Advice> advise(const Collected& collected, const Costs& costs) {
    std::vector<Advice> all;
    for (const auto& [name, times] : collected.waits)
        all.push_back(advise(name, times, costs));
    return all;
}

std::vector<double> each_second(double deadline) {
    std::vector<double> looks;
    for (double at = 1; at < deadline; ++at)
        looks.push_back(at);
    looks.push_back(deadline);
    return looks;
}

std::vector<double> doubling(double deadline) {
    std::vector<double> looks;
    for (double at = 1; at < deadline; at = 2 * at + 1)
        looks.push_back(at);
    looks.push_back(deadline);
    return looks;
}

} // namespace muster::tune
