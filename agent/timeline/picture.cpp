#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "agent/svg.h"
#include "agent/timeline/bars.h"
#include "agent/timeline/timeline.h"

namespace muster {
namespace {

constexpr double width = 920, row = 24, top = 64, bottom = 44, names = 310, right = 30;

constexpr const char* style =
    ".lane { fill: #f3f5f8; } .name { fill: #1c2430; } .head { fill: #1c2430; font-weight: bold; }"
    " .note { fill: #667; font-size: 11px; } .grid { stroke: #d5dae2; }"
    " .mark { fill: #667; font-size: 11px; text-anchor: middle; }"
    " .work { fill: #9fb0c8; } .wait { fill: #dfe5ee; stroke: #9fb0c8; stroke-dasharray: 2 2; }"
    " .critical-work { fill: #b35c00; }"
    " .critical-wait { fill: #fde9d9; stroke: #b35c00; stroke-dasharray: 2 2; }";

/// A round number of seconds, so that five to twelve of them make the whole.
double step_of(double whole) {
    double step = std::pow(10, std::floor(std::log10(whole / 5)));
    for (const double factor : {2.0, 2.5, 2.0}) {
        if (whole / step > 12) step *= factor;
    }
    return step;
}

class Drawing {
  public:
    Drawing(std::vector<Bar> bars, const std::string& title)
        : bars_(std::move(bars)), whole_(std::max(0.001, end_of(bars_))),
          height_(top + row * static_cast<double>(bars_.size()) + bottom),
          picture_(width, height_, title, style) {
        picture_.text("head", 20, 26, title);
    }

    std::string draw() {
        picture_.rect("lane", 10, top - 22, width - 20, height_ - top - bottom + 30);
        const double step = step_of(whole_);
        for (int i = 0; i * step <= whole_; ++i) {
            picture_.line("grid", x(i * step), top - 4, x(i * step), height_ - bottom + 4);
            picture_.text("mark", x(i * step), top - 9, fmt::format("{:g} s", i * step));
        }
        for (std::size_t i = 0; i < bars_.size(); ++i)
            draw_bar(bars_[i], top + row * static_cast<double>(i));
        draw_legend();
        return picture_.svg();
    }

  private:
    [[nodiscard]] double x(double seconds) const {
        return names + seconds / whole_ * (width - names - right);
    }

    void part(const Bar& bar, const char* what, double y, double from, double to) {
        if (to <= from) return;
        picture_.rect(std::string(bar.critical ? "critical-" : "") + what, x(from), y + 4,
                      std::max(1.5, x(to) - x(from)), row - 9);
    }

    void draw_bar(const Bar& bar, double y) {
        constexpr std::size_t most = 40;
        picture_.text("name", 20, y + 16,
                      bar.name.size() > most ? bar.name.substr(0, most - 2) + ".." : bar.name);
        const double waited = bar.start + bar.waited;
        part(bar, "wait", y, bar.start, waited);
        part(bar, "work", y, waited, std::max(bar.end, bar.start + whole_ / 1000));
        auto note = fmt::format("{:.2f} s{}", bar.end - bar.start, bar.open ? ", open" : "");
        if (!bar.note.empty()) note += ", " + bar.note;
        // Beside the bar, on the side where there is room.
        const double room = 6.2 * static_cast<double>(note.size());
        const bool fits = x(bar.end) + room + 12 < width - right + 18;
        picture_.text("note", fits ? x(bar.end) + 6 : x(bar.start) - room - 2, y + 15, note);
    }

    void draw_legend() {
        const double y = height_ - 26;
        double at = 20;
        for (const auto& [what, text] :
             {std::pair{"critical-work", "work that the end had to wait for"},
              std::pair{"critical-wait", "waiting, likewise"},
              std::pair{"work", "work beside that"}, std::pair{"wait", "waiting beside that"}}) {
            picture_.rect(what, at, y, 22, 12);
            picture_.text("note", at + 28, y + 10, text);
            at += 50 + 6.2 * static_cast<double>(std::string_view(text).size());
        }
    }

    std::vector<Bar> bars_;
    double whole_;
    double height_;
    Picture picture_;
};

} // namespace

std::string timeline_picture(const nlohmann::json& report) {
    const auto text = [](const nlohmann::json& json, const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : "-";
    };
    const auto instance = report.find("instance");
    const bool is_known = instance != report.end() && instance->is_object();
    return Drawing(bars_of(report),
                   fmt::format("{}: {}, {}", is_known ? text(*instance, "id") : "-",
                               text(report, "outcome"), text(report, "time")))
        .draw();
}

} // namespace muster
