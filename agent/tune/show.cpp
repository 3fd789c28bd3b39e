#include "agent/tune/show.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace muster::tune {
namespace {

using OrderedJson = nlohmann::ordered_json;

const std::vector<double> quantiles = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
const std::vector<double> band_ends = {0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1};

/// Seconds with four digits, as many as are kept.
std::string short_time(double seconds) {
    const int digits = seconds < 10 ? 3 : seconds < 100 ? 2 : seconds < 1000 ? 1 : 0;
    return fmt::format("{:.{}f}", seconds, digits);
}

std::string percent(double share) {
    return fmt::format("{:g} %", share * 100);
}

std::string lines_text(const Collected& collected) {
    auto text = fmt::format("{} boots", collected.reports);
    const auto add = [&](std::size_t count, const char* what) {
        if (count > 0) text += fmt::format(", {} {}", count, what);
    };
    add(collected.without, "reports that tell of no boot's end");
    add(collected.again, "of a boot counted before");
    add(collected.left_out, "left out, beyond what is kept");
    add(collected.bad, "lines that are no report");
    text += "\n";
    if (collected.bad > 0) text += "  the first of these: " + collected.first_bad + "\n";
    return text;
}

std::string quantiles_text(const Survival& survival) {
    std::string head = fmt::format("  {:<12}{:>7}", "found by", "least");
    std::string row =
        fmt::format("  {:<12}{:>7}", "seconds", short_time(survival.quantile(0).value_or(0)));
    for (const double share : quantiles) {
        const auto time = survival.quantile(share);
        head += fmt::format("{:>7}", fmt::format("{:g}%", share * 100));
        row += fmt::format("{:>7}", time ? short_time(*time) : "-");
    }
    return head + "\n" + row + "\n";
}

std::string hazard_text(const Survival& survival) {
    const auto bands = bands_of(survival, band_ends);
    const auto highest = std::ranges::max_element(bands, {}, &Band::hazard);
    std::string text = fmt::format("  {:>8} {:>8} {:>8}  {}\n", "from s", "to s", "waiting",
                                   "of these are found each second");
    for (const auto& band : bands) {
        const auto length =
            static_cast<std::size_t>(std::lround(36 * band.hazard / highest->hazard));
        text += fmt::format("  {:>8} {:>8} {:>8}  {:<8}{}\n", short_time(band.from),
                            short_time(band.to), band.waiting, per_second(band.hazard),
                            std::string(std::max<std::size_t>(length, 1), '#'));
    }
    return text;
}

std::string looks_text(const Advice& advice) {
    std::string text = "  look at ";
    constexpr std::size_t shown = 8;
    for (std::size_t i = 0; i < std::min(shown, advice.looks.size()); ++i)
        text += (i > 0 ? ", " : "") + short_time(advice.looks[i]);
    if (advice.looks.size() > shown) text += " ...";
    return text + (advice.looks.empty() ? "" : " and ") + short_time(advice.deadline) + " s\n";
}

std::string comparison_text(const Advice& advice, const Costs& costs) {
    std::string text =
        fmt::format("  {:<34}{:>10}{:>12}{:>10}\n", "", "looks", "too late", "ready");
    const auto row = [&](const char* what, const Figures& figures) {
        text += fmt::format("  {:<34}{:>10.1f}{:>10.3f} s{:>8.2f} s\n", what, figures.looks,
                            std::max(0.0, figures.seconds - advice.unavoidable),
                            figures.ready(costs.recreation));
    };
    row("this schedule", advice.figures);
    row("each second, same deadline", advice.each_second);
    row("1, 3, 7, 15 ... s, same deadline", advice.doubling);
    return text;
}

std::string advice_text(const Advice& advice, const Costs& costs) {
    auto text =
        fmt::format("\n{}: {} waits, {} found, {} given up\n", advice.name, advice.survival.count(),
                    advice.survival.found(), advice.survival.gave_up());
    if (advice.survival.found() > 0) {
        text += quantiles_text(advice.survival) + hazard_text(advice.survival);
    }
    if (!advice.refusal.empty()) return text + "  " + advice.refusal + "\n";
    text += looks_text(advice);
    text += fmt::format("  give up after {} s ({} s costs the least): {} are, and recreated\n",
                        short_time(advice.deadline), short_time(advice.cheapest_deadline),
                        percent(std::round(advice.figures.lost * 1e5) / 1e5));
    if (advice.longer_unseen) {
        text += "  so many were given up so early that whether longer waits pay can't be told:\n"
                "  let some machines wait longer\n";
    }
    return text + comparison_text(advice, costs);
}

OrderedJson figures_json(const Figures& figures, const Advice& advice, const Costs& costs) {
    return {{"looks", figures.looks},
            {"too_late_seconds", std::max(0.0, figures.seconds - advice.unavoidable)},
            {"given_up", figures.lost},
            {"ready_seconds", figures.ready(costs.recreation)}};
}

OrderedJson advice_json(const Advice& advice, const Costs& costs) {
    const auto& survival = advice.survival;
    OrderedJson json = {{"for", advice.name},
                        {"waits", survival.count()},
                        {"found", survival.found()},
                        {"gave_up", survival.gave_up()},
                        {"quantiles", OrderedJson::object()},
                        {"hazard", OrderedJson::array()}};
    for (const double share : quantiles) {
        const auto time = survival.quantile(share);
        json["quantiles"][fmt::format("{:g}", share)] = time ? OrderedJson(*time) : OrderedJson();
    }
    for (const auto& band : bands_of(survival, band_ends)) {
        json["hazard"].push_back({{"from", band.from},
                                  {"to", band.to},
                                  {"waiting", band.waiting},
                                  {"per_second", band.hazard}});
    }
    if (!advice.refusal.empty()) {
        json["refusal"] = advice.refusal;
        return json;
    }
    json["looks"] = advice.looks;
    json["deadline"] = advice.deadline;
    json["cheapest_deadline"] = advice.cheapest_deadline;
    json["longer_unseen"] = advice.longer_unseen;
    json["this_schedule"] = figures_json(advice.figures, advice, costs);
    json["each_second"] = figures_json(advice.each_second, advice, costs);
    json["doubling"] = figures_json(advice.doubling, advice, costs);
    return json;
}

} // namespace

std::vector<Band> bands_of(const Survival& survival, const std::vector<double>& shares) {
    std::vector<Band> bands;
    const auto first = survival.quantile(0);
    if (!first || survival.found() == 0) return bands;
    // Nothing is found before the first one: that time would thin the first band out.
    double from = *first - 0.001;
    for (const double share : shares) {
        const double to = survival.quantile(share).value_or(survival.steps().back().at);
        if (to <= from) continue;
        bands.push_back({.from = std::max(0.0, from),
                         .to = to,
                         .waiting = survival.at_risk(from),
                         .hazard = survival.hazard(from, to)});
        from = to;
    }
    return bands;
}

std::string per_second(double hazard) {
    return hazard >= 100 ? fmt::format("{:.0f}", hazard) : fmt::format("{:.3g}", hazard);
}

std::string as_text(const Collected& collected, const std::vector<Advice>& advices,
                    const Costs& costs) {
    auto text = lines_text(collected);
    for (const auto& advice : advices)
        text += advice_text(advice, costs);
    if (!advices.empty()) {
        text += fmt::format("\na look costs {} s of waiting, a new machine {} s\n",
                            short_time(costs.look), short_time(costs.recreation));
    }
    return text;
}

OrderedJson as_json(const Collected& collected, const std::vector<Advice>& advices,
                    const Costs& costs) {
    OrderedJson json = {{"boots", collected.reports},
                        {"other_reports", collected.without},
                        {"counted_before", collected.again},
                        {"left_out", collected.left_out},
                        {"no_reports", collected.bad},
                        {"first_no_report", collected.first_bad},
                        {"wanted", wanted_waits},
                        {"costs", {{"look", costs.look}, {"recreation", costs.recreation}}},
                        {"waits", OrderedJson::array()}};
    for (const auto& advice : advices)
        json["waits"].push_back(advice_json(advice, costs));
    return json;
}

} // namespace muster::tune
