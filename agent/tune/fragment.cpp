#include <chrono>
#include <cmath>
#include <fmt/format.h>

#include "agent/config/units.h"
#include "agent/sys/json_text.h"
#include "agent/tune/show.h"

namespace muster::tune {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string duration(double seconds) {
    return format_duration(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

OrderedJson volume_json(const Advice& advice) {
    OrderedJson json = {{"deadline", duration(advice.deadline)}};
    if (advice.looks.empty()) return json; // the one at the deadline is made anyway
    for (const double look : advice.looks)
        json["polls"].push_back(duration(look));
    return json;
}

class Writer {
  public:
    explicit Writer(const Config& config) : config_(config) {}

    void add(const Advice& advice) {
        if (!advice.refusal.empty()) {
            fragment_.without.push_back(advice.name + ": " + advice.refusal);
        } else if (advice.name == "metadata") {
            layer_["metadata"]["deadline"] = duration(advice.deadline);
        } else if (advice.name == "ephemeral disks") {
            layer_["ephemeral"]["deadline"] = duration(advice.deadline);
        } else if (advice.name == "ebs" || advice.name.starts_with("ebs ")) {
            add_volumes(advice);
        } else {
            fragment_.without.push_back(advice.name + ": no key of the configuration is about it");
        }
    }

    Fragment written(const Costs& costs) && {
        if (layer_.empty()) return std::move(fragment_);
        fragment_.text =
            fmt::format("// By muster tune. A look was to cost {:g} s of waiting, a new "
                        "machine {:g} s.\n{}\n",
                        costs.look, costs.recreation, to_text(layer_, 2));
        return std::move(fragment_);
    }

  private:
    void add_volumes(const Advice& advice) {
        const auto wanted = advice.name == "ebs" ? "" : advice.name.substr(4);
        bool found = false;
        for (const auto& volume : config_.ebs.value_or(std::vector<EbsVolume>{})) {
            if (!wanted.empty() && volume.name != wanted) continue;
            layer_["ebs"][volume.name] = volume_json(advice);
            found = true;
        }
        if (!found) {
            fragment_.without.push_back(
                advice.name + ": the configuration's `ebs` names no such volume (--config FILE "
                              "names the fleet's configuration)");
        }
    }

    const Config& config_;
    OrderedJson layer_ = OrderedJson::object();
    Fragment fragment_;
};

} // namespace

Fragment as_config(const std::vector<Advice>& advices, const Costs& costs, const Config& config) {
    Writer writer(config);
    for (const auto& advice : advices)
        writer.add(advice);
    return std::move(writer).written(costs);
}

} // namespace muster::tune
