#include "probes/mapping_proof.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "probes/block_devices.h"
#include "probes/xen_device.h"

namespace muster::probes {
namespace {

constexpr std::string_view ephemeral_prefix = "ephemeral";

auto node_of(const Disk& disk, const std::vector<DeviceNode>& nodes) {
    return std::ranges::find(nodes, DeviceNumber{disk.major, disk.minor}, &DeviceNode::number);
}

/// The mapping is an upper bound: it names ephemeral disks that the machine never had, those of the
/// type it was before it was resized, and none of the volumes that are attached after the start. So
/// a volume may stand at the name of a disk that does not exist.
std::string no_proof(const std::vector<Disk>& disks, std::string_view instance_type,
                     const InstanceStore& store) {
    if (std::ranges::find(disks, instance_store_model, &Disk::model) != disks.end()) {
        return "the machine's ephemeral disks have a model, and this one has none";
    }
    if (store.count == 0)
        return fmt::format("no ephemeral disk of the type {} is known", instance_type);
    if (!store.nvme) return "";
    return fmt::format("no {} has an ephemeral disk without a model", instance_type);
}

/// The N of "ephemeralN".
std::optional<unsigned> number_in(std::string_view name) {
    name.remove_prefix(std::min(ephemeral_prefix.size(), name.size()));
    unsigned number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool whole = error == std::errc() && end == name.data() + name.size();
    if (!whole || (name.size() > 1 && name.starts_with('0'))) return std::nullopt;
    return number;
}

/// Whether the kernel itself calls the disk so. A loop device has EC2's name by its node alone:
/// that is how the tests make such disks.
bool is_called(const Disk& disk, std::string_view device) {
    return disk.name.starts_with("loop") ||
           (may_be_mapped(disk) && same_device_name(disk.name, device));
}

} // namespace

bool is_ephemeral_name(std::string_view name) {
    return name.starts_with(ephemeral_prefix);
}

bool may_be_mapped(const Disk& disk) {
    return disk.name.starts_with("xvd") || disk.name.starts_with("sd") ||
           disk.name.starts_with("loop");
}

std::vector<std::string> names_of(const Disk& disk, const MappedNodes& nodes) {
    std::vector<std::string> names;
    for (const auto& [name, found] : nodes) {
        if (found && node_of(disk, *found) != found->end()) names.push_back(name);
    }
    return names;
}

MappingProof::MappingProof(const std::vector<Disk>& disks, const Mapping& mapping,
                           const MappedNodes& nodes, std::string_view instance_type)
    : mapping_(mapping), nodes_(nodes), type_(instance_type),
      store_(instance_store_of(instance_type).value_or(InstanceStore{})),
      no_proof_(no_proof(disks, instance_type, store_)) {}

std::string MappingProof::means_nothing(std::string_view name) const {
    if (!no_proof_.empty()) return no_proof_;
    const auto number = number_in(name);
    if (number && *number < store_.count) return "";
    return fmt::format("{} has no more than {} ephemeral disks, from ephemeral0 on", type_,
                       store_.count);
}

/// Why an ephemeralN entry that leads to the disk proves nothing; "" where it does.
std::string MappingProof::unproved(const Disk& disk, const std::string& name) const {
    if (auto why = means_nothing(name); !why.empty()) return why;
    const auto& device = mapping_.at(name);
    if (node_of(disk, *nodes_.at(name))->link) {
        return fmt::format("/dev/{} is a link, which leads wherever it was made to lead", device);
    }
    if (!is_called(disk, device)) return fmt::format("the kernel calls it {}", disk.name);
    if (!disk.xen.empty() && !same_device_name("xvd" + xen_letters(disk.xen), device)) {
        return fmt::format("Xen attached it under another name ({})", disk.xen);
    }
    if (disk.size > store_.most_bytes) {
        return fmt::format("it has {} bytes, and no ephemeral disk of {} more than {}", disk.size,
                           type_, store_.most_bytes);
    }
    return "";
}

MappingProof::Claim MappingProof::claim_of(const Disk& disk,
                                           const std::vector<std::string>& names) const {
    Claim claim;
    for (const auto& name : names) {
        if (!is_ephemeral_name(name)) continue;
        auto why = unproved(disk, name);
        if (why.empty()) return {name, ""};
        if (claim.name.empty()) claim = {name, std::move(why)};
    }
    return claim;
}

} // namespace muster::probes
