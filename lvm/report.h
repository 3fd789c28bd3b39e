// What LVM itself says of some disks: `lvm fullreport` as values. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/result.h"

namespace muster::lvm {

struct PhysicalVolume {
    std::string name; ///< a path of LVM's choice, or "[unknown]" where missing: compare numbers
    std::string uuid;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    bool missing = false;           ///< named by the group, not found among the disks looked at
    bool in_use = false;            ///< its label says that some group uses it
    std::uint64_t extents = 0;      ///< that a volume could have, taken or not
    std::uint64_t used_extents = 0; ///< of these
};

struct LogicalVolume {
    std::string name;
    std::string uuid; ///< with dashes
    std::uint64_t size = 0;
    bool active = false;
    unsigned stripes = 1;
    std::vector<std::string> tags{};
};

struct VolumeGroup {
    std::string name;
    std::string uuid;
    std::vector<std::string> tags;
    std::uint64_t extent_size = 0;
    std::uint64_t free_extents = 0;
    bool exported = false;
    std::vector<PhysicalVolume> physical;
    std::vector<LogicalVolume> logical;

    [[nodiscard]] bool has_tag(std::string_view tag) const;
    /// At least one of its disks was not found.
    [[nodiscard]] bool partial() const;
};

struct Report {
    std::vector<VolumeGroup> groups;
    std::vector<PhysicalVolume> orphans; ///< labelled, in no group
};

/// `malformed` with what was missing. Fields that we don't ask for are passed over; their order is
/// of no matter.
[[nodiscard]] Result<Report> parse_report(std::string_view json);

} // namespace muster::lvm
