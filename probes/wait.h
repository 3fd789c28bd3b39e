// A wait that was made, for the report: the next schedule is learned from the fleet's own figures.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace muster::probes {

struct Wait {
    std::string what; ///< "metadata", "ephemeral disks", "ebs data"
    double seconds = 0;
    unsigned polls = 0;
    std::string outcome; ///< "found", "gave up"
};

inline void to_json(nlohmann::json& json, const Wait& wait) {
    json = {{"for", wait.what},
            {"seconds", wait.seconds},
            {"polls", wait.polls},
            {"outcome", wait.outcome}};
}

inline void from_json(const nlohmann::json& json, Wait& wait) {
    wait = {.what = json.at("for"),
            .seconds = json.at("seconds"),
            .polls = json.at("polls"),
            .outcome = json.at("outcome")};
}

} // namespace muster::probes
