// Everything else that the service has for a boot, each with its own rule; `muster metadata` prints
// it, and the sinks that speak to AWS take from it what they need.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/result.h"
#include "probes/metadata.h"

namespace muster::probes {

/// What it takes to believe a value, and what a later, different one means.
enum class Rule {
    /// Decided at launch: N equal readings; another value later is `metadata-unstable`.
    fixed,
    /// May change at any time: the newest reading is the value. Its absence takes N readings over
    /// `absence_span` all the same: credentials were 404 for two seconds (eks-ami pull 1970).
    live,
    /// Carries its own proof, a signature that whoever uses it verifies: one reading.
    proved,
};
[[nodiscard]] std::string_view to_string(Rule rule);

/// Instance tags, where they are switched on: key -> value.
using Tags = std::map<std::string, std::string>;

/// Of the instance's role. Whoever holds them is the role: never logged, printed or reported.
struct Credentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string token;
    std::string expiration; ///< "2026-11-21T20:01:02Z"
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

struct SpotAction {
    std::string action; ///< "terminate", "stop", "hibernate"
    std::string time;
    friend bool operator==(const SpotAction&, const SpotAction&) = default;
};

/// "events/maintenance/scheduled"
struct MaintenanceEvent {
    std::string id, code, state, description, not_before, not_after;
    friend bool operator==(const MaintenanceEvent&, const MaintenanceEvent&) = default;
};

/// Parsers; pure. `malformed` with what was found and expected.
/// One line of printable ASCII, 255 characters at most: "spot", "euw1-az1", "Warmed:Running".
[[nodiscard]] Result<std::string> parse_line(std::string_view text);
/// The keys in the listing of tags/instance, sorted.
[[nodiscard]] Result<std::vector<std::string>> parse_tag_keys(std::string_view listing);
/// 256 characters of UTF-8 at most, without control characters. May be empty.
[[nodiscard]] Result<std::string> parse_tag_value(std::string_view text);
[[nodiscard]] Result<Credentials> parse_credentials(std::string_view text);
[[nodiscard]] Result<SpotAction> parse_spot_action(std::string_view text);
[[nodiscard]] Result<std::vector<MaintenanceEvent>> parse_maintenance(std::string_view text);
/// "events/recommendations/rebalance" -> its notice time.
[[nodiscard]] Result<std::string> parse_rebalance(std::string_view text);
/// Base64 over several lines, as one; no PEM armour.
[[nodiscard]] Result<std::string> parse_signature(std::string_view text);
/// User data may hold anything, secrets too: what kind it is, never its content. "#cloud-config",
/// "#!/bin/bash", "gzip", "MIME", "binary", "text".
[[nodiscard]] std::string kind_of_user_data(std::string_view data);

/// One value as it may be shown to a person: secrets are masked.
struct InstanceValue {
    std::string name; ///< its path in the service, "placement/availability-zone-id"
    Rule rule = Rule::fixed;
    Answer<nlohmann::json> answer;
};

/// Reads everything there is, side by side; what isn't there takes `absence_span` to believe.
[[nodiscard]] std::vector<InstanceValue>
read_instance_values(MetadataService& service, Clock& clock, const MetadataRules& rules,
                     Deadline deadline, std::uint64_t seed, const WaitNotice& notice);

} // namespace muster::probes
