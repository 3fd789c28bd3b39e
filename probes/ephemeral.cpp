#include "probes/ephemeral.h"

#include <algorithm>
#include <fmt/format.h>

#include "probes/block_devices.h"

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

/// A disk without a model: only the mapping can tell.
KnownDisk by_mapping(const Disk& disk, const Mapping& mapping, const MappedNumbers& numbers) {
    if (const auto named = partitions_named(disk, mapping); !named.empty()) {
        return {
            disk, Origin::unknown,
            fmt::format("a partition of it is what the mapping calls {}", fmt::join(named, ", ")),
            ""};
    }
    const auto names = names_of(disk, numbers);
    const bool claimed = std::ranges::any_of(names, is_ephemeral);
    if (const auto* lost = unresolved(numbers)) {
        return {disk, Origin::unknown,
                fmt::format("where the mapping {} leads can't be told: {}", lost->first,
                            lost->second.error().message),
                "", claimed || is_ephemeral(lost->first)};
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

KnownDisk tell_origin(const Disk& disk, const Mapping& mapping, const MappedNumbers& numbers) {
    auto known = disk.model.empty() ? by_mapping(disk, mapping, numbers) : by_model(disk);
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
                                    const MappedNumbers& numbers) {
    std::vector<KnownDisk> known;
    known.reserve(disks.size());
    for (const auto& disk : disks)
        known.push_back(tell_origin(disk, mapping, numbers));
    return known;
}

} // namespace muster::probes
