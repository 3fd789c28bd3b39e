#include "agent/tune/smooth.h"

#include <algorithm>
#include <cmath>

namespace muster::tune {
namespace {

/// Waits of one time, and what each step of the curve takes off it.
struct Ranked {
    double at = 0;
    double share = 0;
    std::size_t until = 0; ///< so many waits are this long or shorter
};

std::vector<Ranked> ranked(const Survival& survival) {
    std::vector<Ranked> all;
    double waiting = 1;
    std::size_t rank = 0;
    for (const auto& step : survival.steps()) {
        rank += step.found;
        if (step.found > 0) all.push_back({step.at, waiting - step.waiting, rank});
        waiting = step.waiting;
    }
    return all;
}

/// All waits in order, by number (`rank`, from 0) and by time.
class Ranking {
  public:
    explicit Ranking(const std::vector<Ranked>& all) : all_(all) {}
    [[nodiscard]] double time_of(std::size_t rank) const {
        return std::ranges::upper_bound(all_, rank, {}, &Ranked::until)->at;
    }
    /// Those from `from` to `to` seconds, both included.
    [[nodiscard]] std::size_t between(double from, double to) const {
        const auto first = std::ranges::lower_bound(all_, from, {}, &Ranked::at);
        const auto last = std::ranges::upper_bound(all_, to, {}, &Ranked::at);
        return until(last) - until(first);
    }
    /// How far the k nearest on the nearer side lie from a wait.
    [[nodiscard]] double reach(double at, std::size_t rank, std::size_t k) const {
        return std::min(at - time_of(rank - k), time_of(rank + k) - at);
    }
    /// Among waits that lie evenly, half as many reach half as far, and on both sides there are as
    /// many.
    [[nodiscard]] bool crosses_a_gap(double at, std::size_t rank, std::size_t k) const {
        const double far = reach(at, rank, k);
        return far > 3 * reach(at, rank, k / 2) ||
               4 * std::min(between(at - far, at), between(at, at + far)) < k;
    }

  private:
    [[nodiscard]] std::size_t until(std::vector<Ranked>::const_iterator end) const {
        return end == all_.begin() ? 0 : std::prev(end)->until;
    }

    const std::vector<Ranked>& all_;
};

/// How the curve changes at a time: at once, and how steeply it falls from there.
struct Change {
    double at = 0;
    double fall = 0;
    double slope = 0;
};

std::vector<Change> changes(const std::vector<Ranked>& all) {
    std::vector<Change> changes;
    if (all.empty()) return changes;
    const std::size_t count = all.back().until;
    const auto most = static_cast<std::size_t>(std::pow(static_cast<double>(count), 0.8) / 2);
    const Ranking ranking(all);
    std::size_t before = 0;
    for (const auto& here : all) {
        const std::size_t rank = (before + here.until - 1) / 2; // the middle one of this time
        std::size_t k = std::min({most, rank, count - 1 - rank});
        while (k > 1 && ranking.crosses_a_gap(here.at, rank, k))
            k /= 2;
        const double reach = ranking.reach(here.at, rank, k);
        if (reach > 0) {
            const double slope = here.share / (2 * reach);
            changes.push_back({.at = here.at - reach, .slope = slope});
            changes.push_back({.at = here.at + reach, .slope = -slope});
        } else {
            changes.push_back({.at = here.at, .fall = here.share});
        }
        before = here.until;
    }
    std::ranges::sort(changes, {}, &Change::at);
    return changes;
}

} // namespace

Smooth::Smooth(const Survival& survival) {
    const double end = survival.steps().empty() ? 1 : survival.steps().back().waiting;
    double waiting = 1;
    double slope = 0;
    double at = 0;
    for (const auto& change : changes(ranked(survival))) {
        waiting -= slope * (change.at - at);
        at = change.at;
        if (corners_.empty() || corners_.back().at < at || change.fall > 0)
            corners_.push_back({at, std::max(end, waiting)});
        waiting -= change.fall;
        slope += change.slope;
        if (change.fall > 0) corners_.push_back({at, std::max(end, waiting)});
    }
    if (!corners_.empty()) corners_.back().waiting = end; // sums of many small numbers
}

namespace {

/// On the straight line from one corner to the next.
double between(const Smooth::Corner& from, const Smooth::Corner& to, double seconds) {
    if (to.at <= from.at) return to.waiting;
    return from.waiting + (to.waiting - from.waiting) * (seconds - from.at) / (to.at - from.at);
}

} // namespace

double Smooth::waiting(double seconds) const {
    const auto next = std::ranges::upper_bound(corners_, seconds, {}, &Corner::at);
    if (next == corners_.begin()) return 1;
    const auto& last = *std::prev(next);
    return next == corners_.end() ? last.waiting : between(last, *next, seconds);
}

double Smooth::mean(double until) const {
    double area = 0;
    Corner before;
    for (const auto& corner : corners_) {
        const double to = std::min(corner.at, until);
        area += (to - before.at) * (before.waiting + between(before, corner, to)) / 2;
        if (corner.at >= until) return area;
        before = corner;
    }
    return area + (until - before.at) * before.waiting;
}

} // namespace muster::tune
