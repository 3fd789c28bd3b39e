#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "agent/svg.h"
#include "agent/tune/show.h"

namespace muster::tune {
namespace {

constexpr double width = 920;
constexpr double panel_height = 270;
constexpr double left = 70, right = 20, top = 52, bottom = 48; // around the axes of a panel

constexpr const char* style =
    ".panel { fill: #f3f5f8; } .name { fill: #1c2430; font-weight: bold; }"
    " .note { fill: #445; font-size: 12px; } .right { fill: #667; font-size: 11px; text-anchor: "
    "end; }"
    " .middle { fill: #667; font-size: 11px; text-anchor: middle; } .grid { stroke: #d5dae2; }"
    " .curve { stroke: #14508c; stroke-width: 2; fill: none; } .hazard { fill: #f6d6bd; }"
    " .look { stroke: #2e7d32; stroke-width: 1.5; }"
    " .deadline { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 5 3; }"
    " .red { fill: #b3261e; font-size: 12px; text-anchor: end; }";

/// One wait's panel: time to the right, both axes logarithmic, since what matters is in the tail.
class Panel {
  public:
    Panel(Picture& picture, const Advice& advice, double y)
        : picture_(picture), advice_(advice), y_(y) {
        const auto& steps = advice.survival.steps();
        first_ = std::max(0.001, advice.survival.quantile(0).value_or(0)) / 1.3;
        last_ = std::max({steps.back().at, advice.deadline, first_ * 2}) * 1.15;
        least_ = 0.5 / advice.survival.count();
    }

    void draw() {
        picture_.rect("panel", 10, y_ + 4, width - 20, panel_height - 8);
        picture_.text("name", 20, y_ + 24,
                      fmt::format("{}: {} waits, {} given up", advice_.name,
                                  advice_.survival.count(), advice_.survival.gave_up()));
        picture_.text("note", 20, y_ + 41, summary());
        hazard();
        grid();
        curve();
        looks();
    }

  private:
    [[nodiscard]] double x(double seconds) const {
        const double share =
            std::log(std::max(seconds, first_) / first_) / std::log(last_ / first_);
        return left + std::min(1.0, share) * (width - left - right);
    }
    [[nodiscard]] double y(double waiting) const {
        const double share = std::log(std::max(waiting, least_)) / std::log(least_);
        return y_ + top + share * (panel_height - top - bottom);
    }
    [[nodiscard]] double floor() const { return y_ + panel_height - bottom; }

    [[nodiscard]] std::string summary() const {
        if (!advice_.refusal.empty()) return advice_.refusal;
        return fmt::format("{} looks at most, {:.1f} on average, {:.2f} s too late; given up after "
                           "{:g} s",
                           advice_.looks.size() + 1, advice_.figures.looks,
                           std::max(0.0, advice_.figures.seconds - advice_.unavoidable),
                           advice_.deadline);
    }

    void hazard() {
        const auto bands = bands_of(advice_.survival, {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8,
                                                       0.9, 0.95, 0.99, 0.999, 1});
        const auto highest = std::ranges::max_element(bands, {}, &Band::hazard);
        for (const auto& band : bands) {
            const double height =
                (panel_height - top - bottom) * 0.9 * band.hazard / highest->hazard;
            picture_.rect("hazard", x(band.from), floor() - height,
                          std::max(1.0, x(band.to) - x(band.from)), height);
        }
        picture_.text("right", width - right - 4, y_ + 24,
                      fmt::format("orange: found each second of those that wait, {} at the most",
                                  per_second(highest->hazard)));
    }

    void grid() {
        for (double decade = 1; decade >= least_; decade /= 10) {
            picture_.line("grid", left, y(decade), width - right, y(decade));
            picture_.text("right", left - 6, y(decade) + 4, fmt::format("{:g} %", decade * 100));
        }
        const double decades = std::log10(last_ / first_);
        const std::vector<double> marks = decades > 3 ? std::vector<double>{1}
                                          : decades > 1
                                              ? std::vector<double>{1, 2, 5}
                                              : std::vector<double>{1, 1.5, 2, 3, 4, 5, 7};
        for (double decade = std::pow(10, std::floor(std::log10(first_))); decade < last_;
             decade *= 10) {
            for (const double mark : marks) {
                const double at = decade * mark;
                if (at < first_ || at > last_) continue;
                picture_.line("grid", x(at), y_ + top, x(at), floor());
                picture_.text("middle", x(at), floor() + 34, fmt::format("{:g} s", at));
            }
        }
    }

    void curve() {
        std::vector<std::pair<double, double>> points = {{left, y(1)}};
        for (const auto& step : advice_.survival.steps()) {
            if (step.found == 0) continue;
            points.emplace_back(x(step.at), points.back().second);
            points.emplace_back(x(step.at), y(step.waiting));
        }
        points.emplace_back(x(advice_.survival.steps().back().at), points.back().second);
        picture_.path("curve", points);
    }

    void looks() {
        if (!advice_.refusal.empty()) return;
        for (const double look : advice_.looks)
            picture_.line("look", x(look), floor() + 3, x(look), floor() + 17);
        picture_.line("deadline", x(advice_.deadline), y_ + top, x(advice_.deadline), floor() + 17);
        picture_.text("red", x(advice_.deadline) - 5, floor() - 6,
                      fmt::format("given up: {:g} s", advice_.deadline));
    }

    Picture& picture_;
    const Advice& advice_;
    double y_;
    double first_ = 0, last_ = 0, least_ = 0;
};

} // namespace

std::string as_picture(const std::vector<Advice>& advices) {
    std::vector<const Advice*> drawn;
    for (const auto& advice : advices) {
        if (advice.survival.found() > 0) drawn.push_back(&advice);
    }
    const double height = 34 + panel_height * static_cast<double>(drawn.size());
    Picture picture(width, height, "How long things are waited for, and when to look", style);
    for (std::size_t i = 0; i < drawn.size(); ++i)
        Panel(picture, *drawn[i], panel_height * static_cast<double>(i)).draw();
    picture.text("note", 20, height - 12,
                 drawn.empty() ? "Nothing was ever found."
                               : "Blue: the share that still waits. Green: when to look.");
    return picture.svg();
}

} // namespace muster::tune
