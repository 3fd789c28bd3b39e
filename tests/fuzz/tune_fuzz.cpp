// Reports that may be anything, and waits of any lengths: whatever is concluded can be followed.
#include <string>

#include "agent/tune/show.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::tune;
using fuzz::must;

void must_be_sound(const Advice& advice) {
    must(std::ranges::is_sorted(advice.looks), "looks are in order");
    must(advice.looks.size() <= most_looks, "a configuration takes them");
    must(advice.looks.empty() ||
             (advice.looks.front() > 0 && advice.looks.back() < advice.deadline),
         "looks lie between the beginning and the deadline");
    must(advice.deadline >= 1 && advice.deadline <= 48 * 3600,
         "a configuration takes the deadline");
    must(advice.figures.lost >= 0 && advice.figures.lost <= 1, "a share is a share");
    must(advice.figures.looks <= static_cast<double>(advice.looks.size()) + 1.001,
         "no more looks than there are");
}

/// Four bytes are so many waits of one length.
Times times_of(std::string_view data) {
    Times times;
    for (; data.size() >= 4; data.remove_prefix(4)) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(data[i]); };
        const double seconds = (byte(0) + byte(1) / 256.0) * (byte(2) < 32 ? 600 : 1);
        auto& ends = times[rounded_up(seconds)];
        (byte(2) % 8 == 0 ? ends.gave_up : ends.found) += byte(3);
    }
    std::erase_if(
        times, [](const auto& item) { return item.second.found == 0 && item.second.gave_up == 0; });
    return times;
}

void try_out(std::string_view data) {
    Collector collector(data.size() % 2 == 0);
    auto rest = data;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        collector.line("here:1", line);
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
    auto collected = collector.collected();
    if (const auto times = times_of(data); !times.empty()) collected.waits["ebs data"] = times;

    const Costs costs{.look = static_cast<double>(data.size() % 7) / 10,
                      .recreation = static_cast<double>(data.size() % 5) * 20};
    const auto advices = advise(collected, costs);
    for (const auto& advice : advices) {
        if (advice.refusal.empty()) must_be_sound(advice);
    }
    (void)as_text(collected, advices, costs);
    (void)as_json(collected, advices, costs)
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    must(as_picture(advices).ends_with("</svg>\n"), "a picture is whole");
    Config config;
    config.ebs.emplace();
    config.ebs->push_back({.name = "data"});
    (void)as_config(advices, costs, config);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
