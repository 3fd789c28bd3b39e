// Schedules compared (docs/tune.md): how late a thing is seen, how many looks that takes, and how
// long it is until a machine is ready, on the published measurements and on worse ones. What
// `muster tune` learns is learned from as many waits as were measured, drawn anew for each of 20
// fleets, and then judged on the distribution itself, which it never saw.
//
//     bench_waits FOLDER      prints the tables, draws FOLDER/waits.svg
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <limits>

#include "agent/svg.h"
#include "agent/sys/files.h"
#include "agent/tune/advice.h"
#include "tests/bench/published.h"
#include "tests/bench/targets.h"

using namespace muster;
using namespace muster::tune;

namespace {

constexpr unsigned fleets = 20;
constexpr unsigned jitters = 400;      // draws of a schedule that is drawn
constexpr double usual_deadline = 100; // of the others, when they recreate
constexpr double given_up = 300;       // in the reports that are learned from
constexpr double never = std::numeric_limits<double>::infinity();

/// What is waited for.
struct Source {
    std::string name;
    unsigned count = 0; ///< waits to learn from
    Curve waiting;
    std::function<double(std::mt19937_64&)> draw; ///< `never` for what does not come
    double deadline = 0;   ///< of the first table: what takes longer counts as not seen, for all
    double recreation = 0; ///< seconds, before it is waited for again
    double target = 0;     ///< of overshoot, as a share of doubling's; 0: none was set
};

std::vector<Source> sources() {
    std::vector<Source> all;
    for (const auto& row : published::rows()) {
        const published::Fit fit(row);
        all.push_back({.name = row.name,
                       .count = row.count,
                       .waiting = [fit](double at) { return fit.waiting(at); },
                       .draw = [fit](std::mt19937_64& random) { return fit.draw(random); },
                       .deadline = fit.time_of(published::Row::left_to_the_deadline),
                       // Another volume to attach takes another instance; the rest, another call.
                       .recreation = row.name == "attach volume" ? 29.872 : 0,
                       .target = row.name == "create volume" ? 1 : 0.1});
    }
    const auto normal = [](double z) { return std::erfc(z / std::sqrt(2.0)) / 2; };
    const auto two = [normal](double at) {
        return 0.9 * normal((at - 5) / 0.7) + 0.1 * normal((at - 60) / 4);
    };
    all.push_back({.name = "bimodal: 5 s, one in ten 60 s",
                   .count = 1000,
                   .waiting = two,
                   .draw =
                       [](std::mt19937_64& random) {
                           const bool early =
                               std::uniform_real_distribution<double>()(random) < 0.9;
                           return early ? std::normal_distribution<double>(5, 0.7)(random)
                                        : std::normal_distribution<double>(60, 4)(random);
                       },
                   .deadline = 72,
                   .recreation = 60});
    all.push_back(
        {.name = "one in twenty never, else as attach",
         .count = 1000,
         .waiting = [waiting = all[3].waiting](double at) { return 0.05 + 0.95 * waiting(at); },
         .draw =
             [draw = all[3].draw](std::mt19937_64& random) {
                 const bool comes = std::uniform_real_distribution<double>()(random) < 0.95;
                 return comes ? draw(random) : never;
             },
         .deadline = all[3].deadline,
         .recreation = 60});
    return all;
}

/// The reports of one fleet, as `muster tune` keeps them.
Times reports(const Source& source, unsigned seed) {
    std::mt19937_64 random(seed);
    Times times;
    for (unsigned i = 0; i < source.count; ++i) {
        const double seconds = source.draw(random);
        if (seconds < given_up) {
            ++times[rounded_up(seconds)].found;
        } else {
            ++times[rounded_up(given_up)].gave_up;
        }
    }
    return times;
}

double integral(const Curve& waiting, double until) {
    constexpr int parts = 200'000;
    double area = 0;
    for (int i = 0; i < parts; ++i)
        area += waiting((i + 0.5) * until / parts) * until / parts;
    return area;
}

/// Looks after intervals of which each follows from those before, up to the deadline.
std::vector<double> looks_after(double deadline, const std::function<double(unsigned)>& interval) {
    std::vector<double> looks;
    double at = interval(0);
    for (unsigned i = 1; at < deadline; ++i) {
        looks.push_back(at);
        at += interval(i);
    }
    looks.push_back(deadline);
    return looks;
}

struct Other {
    const char* name;
    unsigned draws; ///< more than one where chance is part of it
    std::function<std::vector<double>(double deadline, std::mt19937_64&)> looks;
};

const std::vector<Other>& others() {
    static constexpr double cap = 30;
    static const auto capped = [](unsigned i) { return std::min(cap, std::pow(2.0, i)); };
    static const std::vector<Other> all = {
        {"doubling from 1 s", 1, [](double d, std::mt19937_64&) { return doubling(d); }},
        {"doubling, capped at 30 s", 1,
         [](double d, std::mt19937_64&) { return looks_after(d, capped); }},
        {"the same with full jitter", jitters,
         [](double d, std::mt19937_64& random) {
             return looks_after(d, [&](unsigned i) {
                 return std::uniform_real_distribution<double>(0, capped(i))(random);
             });
         }},
        {"Fibonacci, capped at 30 s", 1,
         [](double d, std::mt19937_64&) {
             double a = 0;
             double b = 1;
             return looks_after(d, [&](unsigned) {
                 a = std::exchange(b, a + b);
                 return std::min(cap, a);
             });
         }},
        {"each second", 1, [](double d, std::mt19937_64&) { return each_second(d); }},
    };
    return all;
}

struct Result {
    double looks = 0, overshoot = 0, ready = 0;
    void add(const Result& one, double share) {
        looks += one.looks * share;
        overshoot += one.overshoot * share;
        ready += one.ready * share;
    }
};

Result result_of(const Source& source, const std::vector<double>& looks, double unavoidable) {
    const auto figures = figures_of(source.waiting, looks);
    return {figures.looks, figures.seconds - unavoidable, figures.ready(source.recreation)};
}

Result result_of(const Source& source, const Other& other, double deadline, double unavoidable) {
    std::mt19937_64 random(1);
    Result mean;
    for (unsigned i = 0; i < other.draws; ++i)
        mean.add(result_of(source, other.looks(deadline, random), unavoidable), 1.0 / other.draws);
    return mean;
}

/// The planner's schedule to moment `end` that makes as many looks as allowed and no more: the
/// price of a look is what is sought.
std::vector<double> with_looks(const std::vector<Moment>& moments, std::size_t end,
                               const Curve& waiting, double allowed) {
    double dear = 1000;
    double cheap = 1e-6;
    for (int i = 0; i < 40; ++i) {
        const double look = std::sqrt(dear * cheap);
        const bool too_many =
            figures_of(waiting, Planner(moments, look).looks(end)).looks > allowed;
        (too_many ? cheap : dear) = look;
    }
    return Planner(moments, dear).looks(end);
}

/// The distribution itself, at 20,000 moments.
std::vector<Moment> every_moment(const Source& source) {
    constexpr int parts = 20'000;
    std::vector<Moment> moments = {{}};
    for (int i = 1; i <= parts; ++i) {
        const double at = source.deadline * i / parts;
        moments.push_back({at, source.waiting(at)});
    }
    return moments;
}

/// Learned from one fleet, at no more looks than doubling makes there.
std::vector<double> learned(const Source& source, unsigned seed) {
    const Survival survival(reports(source, seed));
    const Smooth curve(survival);
    const Curve waiting = [&](double at) { return curve.waiting(at); };
    auto moments = moments_of(curve, survival.count());
    std::erase_if(moments, [&](const Moment& m) { return m.at >= source.deadline; });
    moments.push_back({source.deadline, curve.waiting(source.deadline)});
    const double allowed = figures_of(waiting, doubling(source.deadline)).looks;
    return with_looks(moments, moments.size() - 1, waiting, allowed);
}

struct Named {
    std::string name;
    Result result;
};

/// The first table: late by how much, at how many looks.
std::vector<Named> overshoots(const Source& source) {
    const double unavoidable = integral(source.waiting, source.deadline);
    std::vector<Named> all;
    for (const auto& other : others())
        all.push_back({other.name, result_of(source, other, source.deadline, unavoidable)});
    Result ours;
    for (unsigned seed = 0; seed < fleets; ++seed)
        ours.add(result_of(source, learned(source, seed), unavoidable), 1.0 / fleets);
    all.push_back({"learned, as many looks", ours});
    const auto moments = every_moment(source);
    const auto best =
        with_looks(moments, moments.size() - 1, source.waiting, all.front().result.looks);
    all.push_back({"the best possible", result_of(source, best, unavoidable)});
    return all;
}

/// The second one: until a machine is ready, each with its own deadline.
std::vector<Named> until_ready(const Source& source) {
    std::vector<Named> all;
    for (const auto& other : others()) {
        all.push_back({other.name, result_of(source, other, usual_deadline, 0)});
    }
    for (const double look : {0.1, 0.01}) {
        Result ours;
        double deadlines = 0;
        for (unsigned seed = 0; seed < fleets; ++seed) {
            const auto advice = advise(source.name, reports(source, seed),
                                       {.look = look, .recreation = source.recreation});
            auto looks = advice.looks;
            looks.push_back(advice.deadline);
            ours.add(result_of(source, looks, 0), 1.0 / fleets);
            deadlines += advice.deadline / fleets;
        }
        all.push_back(
            {fmt::format("learned, a look is {:g} s; to {:.0f} s", look, deadlines), ours});
    }
    return all;
}

const char* met(bool is_met) {
    return is_met ? "met" : "MISSED";
}

bool print_overshoots(const Source& source, const std::vector<Named>& all) {
    fmt::print("\n{} (deadline {:.1f} s)\n  {:<34}{:>8}{:>13}{:>12}\n", source.name,
               source.deadline, "", "looks", "too late, s", "of doubling");
    const auto& doubled = all.front().result;
    for (const auto& [name, result] : all)
        fmt::print("  {:<34}{:>8.2f}{:>13.3f}{:>12.3f}\n", name, result.looks, result.overshoot,
                   result.overshoot / doubled.overshoot);
    const auto& ours = all[all.size() - 2].result;
    const auto& best = all.back().result;
    const double ratio = ours.overshoot / doubled.overshoot;
    const double apart = ours.overshoot / best.overshoot;
    const bool few = ours.looks <= doubled.looks;
    const bool near = apart <= 1.1;
    fmt::print("  target: looks at most {:.2f}: {}; within 10 % of the best: {:+.1f} %, {}",
               doubled.looks, met(few), (apart - 1) * 100, met(near));
    const bool low = source.target == 0 || ratio <= source.target;
    if (source.target > 0) fmt::print("; at most {:g} of doubling: {}", source.target, met(low));
    fmt::print("\n");
    const auto name = "B " + source.name;
    note_target(name + ": looks", ours.looks, doubled.looks, few);
    note_target(name + ": too late, over the best possible", apart, 1.1, near);
    if (source.target > 0)
        note_target(name + ": too late, over doubling", ratio, source.target, low);
    return few && near && low;
}

bool print_ready(const Source& source, const std::vector<Named>& all) {
    fmt::print(
        "\n{} (a new one {:.0f} s; the others give up after {:.0f} s)\n  {:<48}{:>8}{:>11}\n",
        source.name, source.recreation, usual_deadline, "", "looks", "ready, s");
    double best = never;
    for (const auto& [name, result] : all) {
        fmt::print("  {:<48}{:>8.2f}{:>11.2f}\n", name, result.looks, result.ready);
        if (!name.starts_with("learned")) best = std::min(best, result.ready);
    }
    const auto& dear = all[all.size() - 2].result;
    const auto& cheap = all.back().result;
    fmt::print(
        "  target: not later than the best of the others: with a look at 0.1 s {:+.2f} s, {}; "
        "at 0.01 s (the default) {:+.2f} s, {}\n",
        dear.ready - best, met(dear.ready <= best), cheap.ready - best, met(cheap.ready <= best));
    return note_target("B " + source.name + ": until ready, s, beside the best of the others",
                       cheap.ready, best, cheap.ready <= best);
}

// ---- the picture
// -----------------------------------------------------------------------------------

constexpr double panel_width = 450, panel_height = 250;
constexpr const char* style =
    ".panel { fill: #f3f5f8; } .name { fill: #1c2430; font-weight: bold; }"
    " .note { fill: #667; font-size: 11px; } .right { fill: #667; font-size: 11px; text-anchor: "
    "end; }"
    " .best { stroke: #14508c; stroke-width: 2; fill: none; } .grid { stroke: #d5dae2; }"
    " .other { fill: #b35c00; } .ours { fill: #2e7d32; }";

/// Overshoot over looks, both logarithmic: the line is the best that can be had.
void draw_panel(Picture& picture, const Source& source, const std::vector<Named>& all, double left,
                double top) {
    constexpr double most_looks_shown = 60, least_late = 0.05, most_late = 40;
    const auto x = [&](double looks) {
        return left + 50 +
               std::log(std::max(1.0, looks)) / std::log(most_looks_shown) * (panel_width - 80);
    };
    const auto y = [&](double late) {
        const double share = std::log(std::clamp(late, least_late, most_late) / most_late) /
                             std::log(least_late / most_late);
        return top + 40 + share * (panel_height - 80);
    };
    picture.rect("panel", left + 5, top + 5, panel_width - 10, panel_height - 10);
    picture.text("name", left + 15, top + 24, source.name);
    for (const double late : {0.1, 1.0, 10.0}) {
        picture.line("grid", left + 50, y(late), left + panel_width - 30, y(late));
        picture.text("right", left + 45, y(late) + 4, fmt::format("{:g} s", late));
    }
    for (const double looks : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
        picture.line("grid", x(looks), y(most_late), x(looks), y(least_late));
        picture.text("note", x(looks) - 6, top + panel_height - 24, fmt::format("{:g}", looks));
    }
    const auto moments = every_moment(source);
    const double unavoidable = integral(source.waiting, source.deadline);
    std::vector<std::pair<double, double>> best;
    for (double look = 30; look > 0.001; look *= 0.8) {
        const auto result =
            result_of(source, Planner(moments, look).looks(moments.size() - 1), unavoidable);
        if (result.looks < most_looks_shown && result.overshoot > least_late) {
            best.emplace_back(x(result.looks), y(result.overshoot));
        }
    }
    picture.path("best", best);
    // Each of the others with its letter, to another side of the point, since some coincide.
    struct Mark {
        const char* letter;
        double right, down;
    };
    constexpr Mark marks[] = {
        {"2", -3, -8}, {"c", -3, 16}, {"j", 8, -2}, {"F", 8, 12}, {"s", 8, 4}};
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        const auto& result = all[i].result;
        const bool ours = i >= std::size(marks);
        picture.rect(ours ? "ours" : "other", x(result.looks) - 4, y(result.overshoot) - 4, 8, 8);
        if (ours) continue;
        picture.text("note", x(result.looks) + marks[i].right, y(result.overshoot) + marks[i].down,
                     marks[i].letter);
    }
}

std::string picture_of(const std::vector<Source>& all,
                       const std::vector<std::vector<Named>>& named) {
    const double height = panel_height * static_cast<double>((all.size() + 1) / 2) + 34;
    Picture picture(2 * panel_width, height, "How late a thing is seen, over how often is looked",
                    style);
    for (std::size_t i = 0; i < all.size(); ++i)
        draw_panel(picture, all[i], named[i], i % 2 == 0 ? 0 : panel_width,
                   panel_height * static_cast<double>(i / 2));
    picture.text(
        "note", 15, height - 12,
        "Down: seconds too late. Right: looks. Blue: the best possible. Green: learned. "
        "2: doubling from 1 s, c: capped, j: with full jitter, F: Fibonacci, s: each second.");
    return picture.svg();
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench_waits FOLDER\n");
        return 2;
    }
    const auto all = sources();
    std::vector<std::vector<Named>> named;
    bool well = true;
    fmt::print("How late a thing is seen, and the looks that takes.\n");
    for (const auto& source : all) {
        named.push_back(overshoots(source));
        well = print_overshoots(source, named.back()) && well;
    }
    fmt::print("\nHow long until one is ready, what is given up being recreated.\n");
    for (const auto& source : all)
        well = print_ready(source, until_ready(source)) && well;
    const auto file = std::filesystem::absolute(argv[1]) / "waits.svg";
    if (const auto written = Files().write(file.string(), picture_of(all, named)); !written) {
        std::fprintf(stderr, "%s\n", written.error().message.c_str());
        return 1;
    }
    fmt::print("\ndrawn: {}\n{}\n", file.string(),
               well ? "all targets met" : "targets were MISSED: see above");
    return 0;
}
