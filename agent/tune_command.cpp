#include <algorithm>
#include <fmt/format.h>

#include "agent/commands.h"
#include "agent/config/config.h"
#include "agent/look.h"
#include "agent/sys/lines.h"
#include "agent/sys/log.h"
#include "agent/tune/show.h"

namespace muster {
namespace {

// A report has 64 KiB at most; whoever stores it may have added to it.
constexpr std::size_t longest_line = 1 << 20;

bool collect(const std::vector<std::string>& files, tune::Collector& collector) {
    bool all = true;
    for (const auto& file : files) {
        const auto read = each_line(file, longest_line, [&](const Line& line) {
            const auto where = fmt::format("{}:{}", file, line.number);
            if (line.whole) {
                collector.line(where, line.text);
            } else {
                collector.unreadable(where, fmt::format("longer than {} bytes", longest_line));
            }
        });
        if (read) continue;
        log::error("reports", {{"error", read.error().message}});
        all = false;
    }
    return all;
}

/// What is written must be what `muster config` takes, over the same layers. Gives the exit status.
int write_fragment(const Options& options, const std::vector<tune::Advice>& advices) {
    const auto layers = find_config_layers(Files(), options.configs);
    if (!layers) {
        log::error("configuration", {{"mistake", layers.error().message}});
        return bad_configuration;
    }
    auto merged = *layers;
    const auto present = load_config(merged);
    const auto fragment = tune::as_config(advices, options.costs, present.config);
    for (const auto& without : fragment.without)
        log::warning("not in the fragment", {{"wait", without}});
    if (fragment.text.empty()) {
        log::error("nothing was learned that a configuration could say: no fragment is written");
        return something_wrong;
    }
    merged.push_back({options.fragment, fragment.text});
    const auto loaded = load_config(merged);
    for (const auto& mistake : loaded.mistakes)
        log::error("configuration", {{"mistake", mistake.text()}});
    return loaded.valid() && write_file(options.fragment, fragment.text) ? all_well
                                                                         : bad_configuration;
}

} // namespace

int tune_waits(const Options& options) {
    tune::Collector collector(options.by_kind);
    if (!collect(options.names, collector)) return bad_configuration;
    const auto& collected = collector.collected();
    const auto advices = tune::advise(collected, options.costs);
    if (options.json) {
        print(tune::as_json(collected, advices, options.costs));
    } else {
        print(tune::as_text(collected, advices, options.costs));
    }
    if (!options.svg.empty() && !write_file(options.svg, tune::as_picture(advices))) {
        return bad_configuration;
    }
    if (!options.fragment.empty()) {
        if (const int status = write_fragment(options, advices); status != all_well) return status;
    }
    const auto concluded = [](const tune::Advice& advice) { return advice.refusal.empty(); };
    return !advices.empty() && std::ranges::all_of(advices, concluded) ? all_well : something_wrong;
}

} // namespace muster
