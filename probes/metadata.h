// What a boot needs to know of its instance: who it is and which disks it was promised.
//
// Both are fixed at launch, so they are confirmed by equal readings, sticky afterwards, and looked
// at once more before anything is written. See instance_values.h for all that the service has.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"
#include "probes/metadata_service.h"
#include "probes/pursuit.h"

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

struct MetadataRules {
    unsigned confirmations = 3;
    Duration absence_span = std::chrono::seconds(5);
    [[nodiscard]] Need need() const { return {confirmations, confirmations, absence_span}; }
};

/// What the kernel knows against an answer, in words: such an answer must have held for
/// `absence_span`, since the kernel may only be late. Nothing where it agrees or can't know.
struct Witnesses {
    std::function<std::optional<std::string>(const Identity&)> identity = {};
    std::function<std::optional<std::string>(const Mapping&)> mapping = {};
};

struct Metadata {
    Answer<Identity> identity;
    Answer<Mapping> mapping;
};

/// Confirmed earlier.
struct KnownMetadata {
    Identity identity;
    Mapping mapping;
};

/// Reads identity and mapping until both are confirmed, or the deadline. With a healthy service and
/// the default rules: one token, three documents and three mappings, within 700 ms.
/// With `known` it is a second look: what is known is right unless another value is confirmed.
[[nodiscard]] Metadata read_metadata(MetadataService& service, Clock& clock,
                                     const MetadataRules& rules, Deadline deadline,
                                     std::uint64_t seed, const WaitNotice& notice,
                                     const Witnesses& witnesses = {},
                                     const std::optional<KnownMetadata>& known = {});

/// One reading each. The mapping's list and each of its entries are one: taken apart, a list of one
/// moment could be filled with the entries of another.
[[nodiscard]] Reading<Identity> read_identity(MetadataService& service, Deadline deadline);
[[nodiscard]] Reading<Mapping> read_mapping(MetadataService& service, Deadline deadline);

/// Parsers; pure. `malformed` with what was found and expected.
[[nodiscard]] Result<Identity> parse_identity(std::string_view document);
/// The names in a mapping's listing, sorted.
[[nodiscard]] Result<std::vector<std::string>> parse_mapping_names(std::string_view listing);
/// "/dev/sdb\n" -> "sdb"
[[nodiscard]] Result<std::string> parse_mapping_device(std::string_view text);

} // namespace muster::probes
