// The confirmed metadata of this instance.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"
#include "probes/metadata_service.h"

namespace muster::probes {

/// Who we are, from the instance identity document: one signed answer that holds all of it, so its
/// parts can't belong to different moments.
struct Identity {
    std::string instance_id;   ///< "i-0123456789abcdef0"
    std::string instance_type; ///< "i4i.large"
    std::string image;         ///< "ami-..."
    std::string account;       ///< 12 digits
    std::string region;        ///< "eu-west-1"
    std::string zone;          ///< "eu-west-1a"
    friend bool operator==(const Identity&, const Identity&) = default;
};

/// block-device-mapping: virtual name -> device name as the service gave it, "/dev/" taken off:
/// {"ami": "sda1", "ebs1": "sdf", "ephemeral0": "sdb", "root": "/dev/sda1" -> "sda1"}.
using Mapping = std::map<std::string, std::string>;

/// A value and how it was reached.
template <class T>
struct Confirmed {
    std::optional<T> value; ///< nullopt: confirmed that there is none
    unsigned readings = 0;
    unsigned disagreements = 0;
    double first = 0; ///< seconds from the start of reading to its first answer
    double last = 0;
};

struct Metadata {
    Result<Confirmed<Identity>> identity;
    Result<Confirmed<Mapping>> mapping;
    MetadataCounters counters;
    std::string endpoint;
};

struct MetadataRules {
    unsigned confirmations = 3;
    Duration absence_span = std::chrono::seconds(5);
};

/// What is being waited for, for whoever watches: "instance metadata: 503", until about then.
using WaitNotice = std::function<void(std::string_view what, Instant until)>;

/// Reads identity and mapping until both are confirmed, or the deadline. The two are read in turn
/// over one connection, each on its own schedule: two values cost about the time of one.
[[nodiscard]] Metadata read_metadata(MetadataService& service, Clock& clock,
                                     const MetadataRules& rules, Deadline deadline,
                                     std::uint64_t seed, const WaitNotice& notice);

/// Parsers; pure. `malformed` with what was found and expected.
[[nodiscard]] Result<Identity> parse_identity(std::string_view document);
/// The names in a mapping's listing, sorted.
[[nodiscard]] Result<std::vector<std::string>> parse_mapping_names(std::string_view listing);
/// "/dev/sdb\n" -> "sdb"
[[nodiscard]] Result<std::string> parse_mapping_device(std::string_view text);

} // namespace muster::probes
