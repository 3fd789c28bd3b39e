#include "probes/witnesses.h"

#include <algorithm>
#include <fmt/format.h>

#include "probes/block_devices.h"

namespace muster::probes {
namespace {

bool is_nvme(const std::string& disk) {
    return disk.starts_with("nvme");
}

/// Disks of the kinds that a mapping names: "sdb", "xvdb"; never loop, ram or device-mapper.
bool may_be_mapped(const std::string& disk) {
    return disk.starts_with("sd") || disk.starts_with("xvd");
}

std::optional<std::string> against_mapping(const Files& files, Kernel& kernel,
                                           const Mapping& mapping) {
    const auto disks = files.list("/sys/block");
    // With NVMe the kernel's own names say nothing of the mapping's.
    if (!disks || std::ranges::any_of(*disks, is_nvme)) return std::nullopt;
    for (const auto& [name, device] : mapping) {
        // The root is there, whatever the image calls it; "swap" may be a file.
        if (!name.starts_with("ephemeral") && !name.starts_with("ebs")) continue;
        const auto nodes = resolve_mapped_name(kernel, device);
        if (nodes && nodes->empty())
            return fmt::format("it says that {} is {}, and the kernel has no such disk", name,
                               device);
    }
    for (const auto& disk : *disks) {
        const auto claims = [&](const auto& entry) {
            // "sda1" may be the first partition of the disk sda.
            return same_device_name(entry.second, disk) ||
                   same_device_name(
                       entry.second.substr(0, entry.second.find_first_of("0123456789")), disk);
        };
        if (may_be_mapped(disk) && std::ranges::none_of(mapping, claims))
            return fmt::format("it does not name {}, which the kernel has", disk);
    }
    return std::nullopt;
}

} // namespace

std::string firmware_instance_id(const Files& files) {
    const auto tag = files.read_value("/sys/class/dmi/id/board_asset_tag").value_or("");
    return tag.starts_with("i-") && tag.size() <= 32 ? tag : "";
}

Witnesses kernel_witnesses(const Files& files, Kernel& kernel) {
    return {.identity = [&files](const Identity& identity) -> std::optional<std::string> {
                const auto id = firmware_instance_id(files);
                if (id.empty() || id == identity.instance_id) return std::nullopt;
                return fmt::format("it says {}, the firmware says {}", identity.instance_id, id);
            },
            .mapping =
                [&files, &kernel](const Mapping& mapping) {
                    return against_mapping(files, kernel, mapping);
                }};
}

} // namespace muster::probes
