#include "agent/tune/looks.h"

#include <algorithm>
#include <limits>

namespace muster::tune {
namespace {

// Between two waits that were seen one may look, too: so close together.
constexpr double closest = 1.02;
constexpr double beyond = 10; // times the longest wait, or this many seconds after it
constexpr double beyond_seconds = 60;

/// What looking next at x costs in all, when the last look was at moment `from`: a line over x.
struct Line {
    double slope = 0;
    double base = 0;
    std::size_t from = 0;
    [[nodiscard]] double at(double x) const { return base + slope * x; }
};

/// True where `middle` is nowhere below both others. Slopes fall from one to the next.
bool is_needless(const Line& first, const Line& middle, const Line& last) {
    return (last.base - first.base) * (first.slope - middle.slope) <=
           (middle.base - first.base) * (first.slope - last.slope);
}

/// Lines with falling slopes, asked for the lowest at rising x.
class LowerHull {
  public:
    void add(const Line& line) {
        if (first_ < lines_.size() && lines_.back().slope <= line.slope) {
            if (lines_.back().base <= line.base) return;
            lines_.pop_back();
        }
        while (lines_.size() >= first_ + 2 &&
               is_needless(lines_[lines_.size() - 2], lines_.back(), line))
            lines_.pop_back();
        lines_.push_back(line);
    }
    const Line& lowest(double x) {
        while (first_ + 1 < lines_.size() && lines_[first_ + 1].at(x) <= lines_[first_].at(x))
            ++first_;
        return lines_[first_];
    }

  private:
    std::vector<Line> lines_;
    std::size_t first_ = 0;
};

} // namespace

double Figures::ready(double recreation) const {
    if (lost >= 1) return std::numeric_limits<double>::infinity();
    return (seconds + lost * recreation) / (1 - lost);
}

Figures figures_of(const Curve& waiting, const std::vector<double>& looks) {
    Figures figures{.lost = 1};
    double before = 0;
    for (const double look : looks) {
        figures.seconds += figures.lost * (look - before);
        figures.looks += figures.lost;
        figures.lost = waiting(look);
        before = look;
    }
    return figures;
}

std::vector<Moment> moments_of(const Smooth& curve, unsigned count) {
    const auto share = [all = static_cast<double>(count)](double waiting) {
        return (waiting * all + 1) / (all + 1);
    };
    std::vector<Moment> moments = {{}};
    const auto fill = [&](double until) {
        for (double at = moments.back().at * closest; at > 0 && at < until; at *= closest)
            moments.push_back({at, share(curve.waiting(at))});
    };
    for (const auto& corner : curve.corners()) {
        fill(corner.at);
        moments.push_back({corner.at, share(corner.waiting)});
    }
    const double last = moments.back().at;
    const double end = std::max(last * beyond, last + beyond_seconds);
    fill(end);
    moments.push_back({end, moments.back().waiting});
    return moments;
}

Planner::Planner(std::vector<Moment> moments, double cost_of_look)
    : moments_(std::move(moments)), cost_(moments_.size()), before_(moments_.size()) {
    LowerHull hull;
    for (std::size_t i = 0; i < moments_.size(); ++i) {
        const auto& [at, waiting] = moments_[i];
        if (i > 0) {
            const auto& best = hull.lowest(at);
            cost_[i] = best.at(at);
            before_[i] = best.from;
        }
        hull.add({.slope = waiting, .base = cost_[i] + waiting * (cost_of_look - at), .from = i});
    }
}

std::vector<double> Planner::looks(std::size_t i) const {
    std::vector<double> looks;
    for (; i > 0; i = before_[i])
        looks.push_back(moments_[i].at);
    std::ranges::reverse(looks);
    return looks;
}

double Planner::cost_until_ready(std::size_t i, double recreation) const {
    const double lost = moments_[i].waiting;
    return lost >= 1 ? std::numeric_limits<double>::infinity()
                     : (cost_[i] + lost * recreation) / (1 - lost);
}

} // namespace muster::tune
