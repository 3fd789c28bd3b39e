#include "probes/ephemeral.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "probes/block_devices.h"
#include "probes/mapping_proof.h"

namespace muster::probes {
namespace {

/// An entry that names a partition of this disk ("sda1" of the root's) claims the disk, too: it is
/// not what any other entry makes of it. By name, which is good enough against, never for.
std::vector<std::string> partitions_named(const Disk& disk, const Mapping& mapping) {
    std::vector<std::string> names;
    for (const auto& [name, device] : mapping) {
        if (std::ranges::any_of(disk.partitions, [&](const std::string& partition) {
                return same_device_name(partition, device);
            })) {
            names.push_back(fmt::format("{} (\"{}\")", name, device));
        }
    }
    return names;
}

bool is_of_owner(std::string_view name) {
    return name.starts_with(owners_claim);
}

/// An entry may lead anywhere: then the one entry that leads here would not be the only one.
const MappedNodes::value_type* unresolved(const MappedNodes& nodes) {
    const auto found = std::ranges::find_if(nodes, [](const auto& entry) { return !entry.second; });
    return found == nodes.end() ? nullptr : &*found;
}

KnownDisk by_model(const Disk& disk) {
    const auto origin = disk.model == instance_store_model ? Origin::instance_store
                        : disk.model == ebs_model          ? Origin::ebs
                                                           : Origin::unknown;
    return {disk, origin,
            origin == Origin::unknown ? fmt::format("model \"{}\" is not one of EC2's", disk.model)
                                      : fmt::format("NVMe model \"{}\"", disk.model),
            ""};
}

/// Why the disk is none of ours, whichever of the entries lead to it.
std::optional<KnownDisk> not_ours(const Disk& disk, const Mapping& mapping,
                                  const std::vector<std::string>& names,
                                  const MappingProof::Claim& claim) {
    if (const auto named = partitions_named(disk, mapping); !named.empty()) {
        return KnownDisk{
            disk, Origin::unknown,
            fmt::format("a partition of it is what the mapping calls {}", fmt::join(named, ", ")),
            ""};
    }
    if (const auto owners = std::ranges::find_if(names, is_of_owner); owners != names.end()) {
        return KnownDisk{
            disk, Origin::ebs,
            fmt::format("the configuration says that {} is \"{}\"", *owners, mapping.at(*owners)),
            claim.name};
    }
    if (!claim.why_not.empty()) {
        return KnownDisk{disk, Origin::unknown,
                         fmt::format("the mapping calls it {}, but {}", claim.name, claim.why_not),
                         claim.name};
    }
    return std::nullopt;
}

/// A disk without a model: only the mapping can tell, where it can at all.
KnownDisk by_mapping(const MappingProof& proof, const Disk& disk, const Mapping& mapping,
                     const MappedNodes& nodes) {
    const auto names = names_of(disk, nodes);
    const auto claim = proof.claim_of(disk, names);
    if (auto known = not_ours(disk, mapping, names, claim)) return *known;
    const bool claimed = !claim.name.empty();
    if (const auto* lost = unresolved(nodes)) {
        const bool may_be =
            is_ephemeral_name(lost->first) && proof.means_nothing(lost->first).empty();
        return {disk, Origin::unknown,
                fmt::format("where the mapping {} leads can't be told: {}", lost->first,
                            lost->second.error().message),
                "", claimed || may_be};
    }
    if (names.empty()) return {disk, Origin::unknown, "no model, and no mapping names it", ""};
    if (names.size() > 1) {
        return {disk, Origin::unknown,
                fmt::format("{} mappings claim it: {}", names.size(), fmt::join(names, ", ")), "",
                claimed};
    }
    const auto& name = names.front();
    if (nodes.at(name)->size() > 1) {
        return {disk, Origin::unknown,
                fmt::format("{} (\"{}\") may be any of {} disks", name, mapping.at(name),
                            nodes.at(name)->size()),
                name, claimed};
    }
    const auto evidence = fmt::format("confirmed mapping {} is \"{}\"", name, mapping.at(name));
    if (claimed) return {disk, Origin::instance_store, evidence, name};
    return {disk, name.starts_with("ebs") ? Origin::ebs : Origin::unknown, evidence, name};
}

KnownDisk tell_origin(const MappingProof& proof, const Disk& disk, const Mapping& mapping,
                      const MappedNodes& nodes) {
    auto known = disk.model.empty() ? by_mapping(proof, disk, mapping, nodes) : by_model(disk);
    // What could not be read may be just what would prove it.
    if (known.origin == Origin::unknown && !disk.unknown.empty()) {
        known.evidence = disk.unknown.front();
        known.doubtful = true;
    }
    return known;
}

} // namespace

MappedNodes resolve_mapping(Kernel& kernel, const Mapping& mapping) {
    MappedNodes nodes;
    for (const auto& [name, device] : mapping)
        nodes.emplace(name, resolve_mapped_name(kernel, device));
    return nodes;
}

std::vector<KnownDisk> tell_origins(const std::vector<Disk>& disks, const Mapping& mapping,
                                    const MappedNodes& nodes, std::string_view instance_type) {
    const MappingProof proof(disks, mapping, nodes, instance_type);
    std::vector<KnownDisk> known;
    known.reserve(disks.size());
    for (const auto& disk : disks)
        known.push_back(tell_origin(proof, disk, mapping, nodes));
    return known;
}

} // namespace muster::probes
