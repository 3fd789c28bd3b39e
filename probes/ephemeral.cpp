#include "probes/ephemeral.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "probes/block_devices.h"
#include "probes/instance_types.h"

namespace muster::probes {
namespace {

/// The entries of the mapping that lead to this disk. "ami" and "root" name the root volume, which
/// is also an ebsN or ephemeralN entry or none; either way they claim their disk.
std::vector<std::string> names_of(const Disk& disk, const MappedNumbers& numbers) {
    std::vector<std::string> names;
    for (const auto& [name, found] : numbers) {
        if (found &&
            std::ranges::find(*found, DeviceNumber{disk.major, disk.minor}) != found->end()) {
            names.push_back(name);
        }
    }
    return names;
}

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

bool is_ephemeral(std::string_view name) {
    return name.starts_with("ephemeral");
}

bool is_of_owner(std::string_view name) {
    return name.starts_with(owners_claim);
}

/// An entry may lead anywhere: then the one entry that leads here would not be the only one.
const MappedNumbers::value_type* unresolved(const MappedNumbers& numbers) {
    const auto found =
        std::ranges::find_if(numbers, [](const auto& entry) { return !entry.second; });
    return found == numbers.end() ? nullptr : &*found;
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

/// Why no ephemeralN entry can mean a disk without a model here; "" where it can. The mapping is an
/// upper bound: it names ephemeral disks that the machine never had, those of the type it was
/// before it was resized, and none of the volumes that are attached after the start. So a volume
/// may stand at the name of a disk that does not exist.
std::string no_proof(const std::vector<Disk>& disks, std::string_view instance_type) {
    if (std::ranges::find(disks, instance_store_model, &Disk::model) != disks.end()) {
        return "the machine's ephemeral disks have a model, and this one has none";
    }
    if (has_store_without_model(instance_type)) return "";
    return fmt::format("no {} has an ephemeral disk without a model", instance_type);
}

/// Why the disk is none of ours, whichever of the entries lead to it.
std::optional<KnownDisk> not_ours(const Disk& disk, const Mapping& mapping,
                                  const std::vector<std::string>& names,
                                  const std::string& why_not) {
    if (const auto named = partitions_named(disk, mapping); !named.empty()) {
        return KnownDisk{
            disk, Origin::unknown,
            fmt::format("a partition of it is what the mapping calls {}", fmt::join(named, ", ")),
            ""};
    }
    const auto ephemeral = std::ranges::find_if(names, is_ephemeral);
    const auto called = ephemeral == names.end() ? "" : *ephemeral;
    if (const auto owners = std::ranges::find_if(names, is_of_owner); owners != names.end()) {
        return KnownDisk{
            disk, Origin::ebs,
            fmt::format("the configuration says that {} is \"{}\"", *owners, mapping.at(*owners)),
            called};
    }
    if (!why_not.empty() && !called.empty()) {
        return KnownDisk{disk, Origin::unknown,
                         fmt::format("the mapping calls it {}, but {}", called, why_not), called};
    }
    return std::nullopt;
}

/// A disk without a model: only the mapping can tell, where it can at all.
KnownDisk by_mapping(const Disk& disk, const Mapping& mapping, const MappedNumbers& numbers,
                     const std::string& why_not) {
    const auto names = names_of(disk, numbers);
    if (auto known = not_ours(disk, mapping, names, why_not)) return *known;
    const bool claimed = std::ranges::any_of(names, is_ephemeral);
    if (const auto* lost = unresolved(numbers)) {
        return {disk, Origin::unknown,
                fmt::format("where the mapping {} leads can't be told: {}", lost->first,
                            lost->second.error().message),
                "", claimed || (why_not.empty() && is_ephemeral(lost->first))};
    }
    if (names.empty()) return {disk, Origin::unknown, "no model, and no mapping names it", ""};
    if (names.size() > 1) {
        return {disk, Origin::unknown,
                fmt::format("{} mappings claim it: {}", names.size(), fmt::join(names, ", ")), "",
                claimed};
    }
    const auto& name = names.front();
    if (numbers.at(name)->size() > 1) {
        return {disk, Origin::unknown,
                fmt::format("{} (\"{}\") may be any of {} disks", name, mapping.at(name),
                            numbers.at(name)->size()),
                name, claimed};
    }
    const auto evidence = fmt::format("confirmed mapping {} is \"{}\"", name, mapping.at(name));
    if (claimed) return {disk, Origin::instance_store, evidence, name};
    return {disk, name.starts_with("ebs") ? Origin::ebs : Origin::unknown, evidence, name};
}

KnownDisk tell_origin(const Disk& disk, const Mapping& mapping, const MappedNumbers& numbers,
                      const std::string& why_not) {
    auto known = disk.model.empty() ? by_mapping(disk, mapping, numbers, why_not) : by_model(disk);
    // What could not be read may be just what would prove it.
    if (known.origin == Origin::unknown && !disk.unknown.empty()) {
        known.evidence = disk.unknown.front();
        known.doubtful = true;
    }
    return known;
}

} // namespace

MappedNumbers resolve_mapping(Kernel& kernel, const Mapping& mapping) {
    MappedNumbers numbers;
    for (const auto& [name, device] : mapping)
        numbers.emplace(name, resolve_mapped_name(kernel, device));
    return numbers;
}

std::vector<KnownDisk> tell_origins(const std::vector<Disk>& disks, const Mapping& mapping,
                                    const MappedNumbers& numbers, std::string_view instance_type) {
    const auto why_not = no_proof(disks, instance_type);
    std::vector<KnownDisk> known;
    known.reserve(disks.size());
    for (const auto& disk : disks)
        known.push_back(tell_origin(disk, mapping, numbers, why_not));
    return known;
}

} // namespace muster::probes
