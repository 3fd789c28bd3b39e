// device-mapper's nodes, from sysfs and mountinfo: which group's they are, and on which disks they
// lie. Changes nothing, and nothing of a disk is read.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/sys/mounts.h"
#include "lvm/machine.h"
#include "lvm/plan.h"

namespace muster::lvm {

[[nodiscard]] std::expected<std::vector<Mount>, Failure> read_mounts(const Files& files);

/// "muster-scratch" stands under the name of the group muster, "muster--x-scratch" of muster-x.
[[nodiscard]] bool has_name_of(std::string_view node, const std::string& group);

/// By name: the nodes that stand under the name of `group`, and those of the groups with these
/// uuids (LVM's, with dashes), whatever their names.
[[nodiscard]] std::expected<std::map<std::string, ActiveVolume>, Failure>
read_active(const Machine& machine, const std::string& group,
            const std::vector<std::string>& uuids = {});

/// The node of this name, if there is one. No other is looked at: it may be an owner's, and vanish.
[[nodiscard]] std::expected<std::optional<ActiveVolume>, Failure>
find_active(const Machine& machine, const std::string& name);

} // namespace muster::lvm
