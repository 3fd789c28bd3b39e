// What the platform announces to an instance while it runs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "probes/metadata_service.h"

namespace muster::probes {

struct Notice {
    std::string kind;                                 ///< "spot-interruption", "rebalance",
                                                      ///< "maintenance", "lifecycle"
    nlohmann::json detail = nlohmann::json::object(); ///< as the service says, cut to a bound
    std::string time;                                 ///< when, in the service's own words
    friend bool operator==(const Notice&, const Notice&) = default;
};

struct NoticeLook {
    std::vector<Notice> notices; ///< all that stand now
    /// Why something could not be asked. That is no finding about the machine, and what was
    /// announced before still holds.
    std::optional<Error> error;
};

/// Asks once for each: four requests, and one for a token where that has ended. The newest answer
/// is the value, a 404 says that there is none. Where the service itself fails the rest is not
/// asked.
[[nodiscard]] NoticeLook read_notices(MetadataService& service, Deadline deadline);

} // namespace muster::probes
