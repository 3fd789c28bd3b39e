// A fleet that doesn't storm (docs/delivery.md): 1,000 to 100,000 instances that boot in one
// second, and what their endpoint sees of them, with our waits and with usual ones.
//
//     bench_fleet FOLDER TIMER    prints the tables, draws FOLDER/fleet.svg; TIMER is the unit
//                                 muster-deliver.timer
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fmt/format.h>

#include "agent/svg.h"
#include "agent/sys/files.h"
#include "tests/bench/fleet_simulation.h"
#include "tests/bench/targets.h"

using namespace muster;
using namespace muster::fleet;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t seed = 1;
constexpr double peak_target = 2, drain_target = 1.5;
constexpr unsigned window = 5; // seconds, of which a peak is the mean
// Of the fleet that is served in a second.
constexpr double in_a_minute = 1.0 / 60, in_100_seconds = 1.0 / 100, in_five_minutes = 1.0 / 300;

std::vector<Scenario> scenarios() {
    return {
        {.name = "down for a minute", .conduct = {.capacity = in_a_minute, .down_for = 60s}},
        {.name = "down, and 30 % lost",
         .conduct = {.capacity = in_a_minute, .down_for = 60s, .loss = 0.3}},
        {.name = "down, and slower: 100 s for all",
         .conduct = {.capacity = in_100_seconds, .down_for = 60s}},
        {.name = "down for five minutes",
         .conduct = {.capacity = in_five_minutes, .down_for = 300s}},
        {.name = "limited", .conduct = {.capacity = in_a_minute}, .outage = false},
        {.name = "limited, Retry-After: 30",
         .conduct = {.capacity = in_a_minute, .retry_after = 30s},
         .outage = false},
        {.name = "30 % lost", .conduct = {.capacity = in_a_minute, .loss = 0.3}, .outage = false},
        {.name = "all fail at once",
         .conduct = {.capacity = in_a_minute},
         .verdict_least = 150s,
         .verdict_most = 150s,
         .outage = false},
    };
}

std::vector<Settings> settings(const Timer& timer) {
    const auto doubling = [](unsigned tries) {
        return std::min<Duration>(60s, 1s * (1U << std::min(tries - 1, 10U)));
    };
    return {{.name = "muster", .naive = {}, .timer = timer},
            {.name = "each second", .naive = [](unsigned) { return 1s; }, .timer = {}},
            {.name = "every 5 s", .naive = [](unsigned) { return 5s; }, .timer = {}},
            {.name = "doubling to a minute", .naive = doubling, .timer = {}}};
}

const char* met(bool is_met) {
    return is_met ? "met" : "MISSED";
}

/// Those of the scenario's end: after the outage, or after the first minute.
double peak_of(const Scenario& scenario, const Outcome& outcome) {
    return outcome.peak(scenario.outage ? outcome.from : outcome.from + 60, window) /
           outcome.capacity;
}

void print(const Settings& how, unsigned instances, double peak, const Outcome& outcome) {
    fmt::print(
        "  {:<22}{:>9.2f}{:>12}{:>8.2f}{:>8.2f}{:>9.1f}{:>7}\n", how.name, peak,
        fmt::format("{:.1f} %", 100.0 * static_cast<double>(outcome.delivered.size()) / instances),
        outcome.took(0.5) / outcome.ideal(), outcome.took(0.99) / outcome.ideal(),
        static_cast<double>(outcome.tries) / instances, outcome.most_tries);
}

/// Whether the target was met, where there is one.
bool compare(const Scenario& scenario, const std::vector<Settings>& all, unsigned instances,
             std::vector<Outcome>* kept) {
    fmt::print("\n{} instances, {}: {:.0f} s would do for all\n  {:<22}{:>9}{:>12}{:>8}{:>8}{:>9}"
               "{:>7}\n",
               instances, scenario.name, 1 / scenario.conduct.capacity, "", "peak", "delivered",
               "half", "99 %", "tries", "most");
    bool good = true;
    for (const auto& how : all) {
        auto outcome = simulate(scenario, how, instances, seed);
        const double peak = peak_of(scenario, outcome);
        print(how, instances, peak, outcome);
        if (!how.naive && scenario.outage) {
            const double drained = outcome.took(0.99) / outcome.ideal();
            const bool everything = outcome.delivered.size() == instances;
            const auto name = fmt::format("C {} instances, {}", instances, scenario.name);
            note_target(name + ": peak", peak, peak_target, peak < peak_target);
            note_target(name + ": not delivered",
                        static_cast<double>(instances - outcome.delivered.size()), 0, everything);
            note_target(name + ": 99 %, over the ideal", drained, drain_target,
                        drained <= drain_target);
            good = peak < peak_target && drained <= drain_target && everything;
            fmt::print("    target: a peak under {:g}: {}; all delivered: {}; 99 % within {:g}: "
                       "{}\n",
                       peak_target, met(peak < peak_target), met(everything), drain_target,
                       met(drained <= drain_target));
        }
        if (kept != nullptr) kept->push_back(std::move(outcome));
    }
    return good;
}

// ---- the picture
// -----------------------------------------------------------------------------------

constexpr double width = 760, panel = 130, left = 60, right = 20;
constexpr unsigned shown = 240; // seconds

/// One panel: requests a second over time, in multiples of what the endpoint can take.
void draw(Picture& picture, const Settings& how, const Outcome& outcome, double top) {
    const double most = 20;
    const auto x = [](double second) { return left + second / shown * (width - left - right); };
    const auto y = [&](double times) {
        return top + panel - 24 - std::min(times, most) / most * (panel - 50);
    };
    picture.text("name", left, top + 14, how.name);
    for (const double times : {0.0, 10.0, most}) {
        picture.line("grid", left, y(times), width - right, y(times));
        picture.text("right", left - 6, y(times) + 4, fmt::format("{:g}", times));
    }
    picture.rect("down", x(0), y(most), x(60) - x(0), y(0) - y(most));
    for (std::size_t i = 0; i < std::min<std::size_t>(outcome.arrived.size(), shown); ++i) {
        const double times = outcome.arrived[i] / outcome.capacity;
        picture.rect("bar", x(static_cast<double>(i)), y(times), x(1) - x(0), y(0) - y(times));
    }
    picture.line("capacity", left, y(1), width - right, y(1));
    for (unsigned second = 0; second <= shown; second += 30)
        picture.text("note", x(second), top + panel - 8, fmt::format("{} s", second));
}

Result<void> draw(const std::string& folder, const std::vector<Settings>& all,
                  const std::vector<Outcome>& outcomes) {
    Picture picture(width, 30 + panel * static_cast<double>(all.size()),
                    "requests a second, as multiples of what the endpoint takes",
                    ".name { fill: #1c2430; font-weight: bold; } .grid { stroke: #d5dae2; }"
                    " .note { fill: #667; font-size: 11px; } .down { fill: #f6dede; }"
                    " .right { fill: #667; font-size: 11px; text-anchor: end; }"
                    " .bar { fill: #14508c; } .capacity { stroke: #b35c00; }");
    picture.text("note", left, 18,
                 "100,000 instances boot in one second; the endpoint is down for the first minute "
                 "(red) and then takes as many a second as the line is high");
    for (std::size_t i = 0; i < all.size(); ++i)
        draw(picture, all[i], outcomes[i], 26 + panel * static_cast<double>(i));
    const auto file = std::filesystem::absolute(folder) / "fleet.svg";
    return Files().write(file.string(), picture.svg());
}

} // namespace

int main(int argc, char** argv) try {
    if (argc != 3) {
        std::fputs("usage: bench_fleet FOLDER TIMER\n", stderr);
        return 2;
    }
    const auto all = settings(Timer::read(argv[2]));
    fmt::print("A fleet's endpoint. Peak: the most requests in {} s, over what it takes in these, "
               "once it is there (or after\na minute, where it always is); half, 99 %: of the "
               "verdicts, over the time that it needs for all; tries: of one\ninstance, "
               "`in-progress` among them\n",
               window);
    bool good = true;
    for (const auto& scenario : scenarios())
        good &= compare(scenario, all, 10'000, nullptr);
    good &= compare(scenarios().front(), all, 1'000, nullptr);
    std::vector<Outcome> outcomes;
    good &= compare(scenarios().front(), all, 100'000, &outcomes);
    if (const auto drawn = draw(argv[1], all, outcomes); !drawn) {
        std::fputs((drawn.error().message + "\n").c_str(), stderr);
        return 2;
    }
    fmt::print("\ndrawn: {}/fleet.svg\n{}\n", argv[1],
               good ? "all targets met" : "targets were MISSED: see above");
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
