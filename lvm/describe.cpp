// A plan in words and in commands, for the person who is to sign it.
#include <fmt/format.h>

#include "agent/sys/command.h"
#include "lvm/plan.h"
#include "lvm/tool.h"
#include "lvm/wipe.h"

namespace muster::lvm {
namespace {

std::string names_of(const std::vector<std::string>& devices) {
    return fmt::format("{}", fmt::join(devices, ", "));
}

using Commands = std::vector<Command>;

/// The step as the commands that a person would type; the tools' folders are left out.
struct CommandsOf {
    const Plan& plan;
    LvmTool lvm{.old = plan.lvm && plan.lvm->old};

    [[nodiscard]] std::string node(const VolumeLayout& volume) const {
        return "/dev/mapper/" + mapper_name(plan.group, volume.name);
    }
    Commands operator()(const MarkGroup& mark) const {
        return {mark_group(lvm, mark.group, mark.devices, wipe_tag(plan.instance_id))};
    }
    Commands operator()(const WipeDisk& wipe) const {
        Commands commands;
        for (const auto& extent : extents_of(wipe))
            commands.push_back(write_zeros("blkdiscard", wipe.disk.node, extent));
        if (!wipe.disk.partitions.empty()) {
            commands.push_back(forget_partitions("blockdev", wipe.disk.node));
        }
        return commands;
    }
    Commands operator()(const RemoveGroup& remove) const {
        return {remove_group(lvm, plan.group, remove.devices), remove_labels(lvm, remove.devices)};
    }
    Commands operator()(const CreateGroup& create) const {
        return {create_group(lvm, plan.group, create.devices,
                             {std::string(owner_tag), instance_tag(plan.instance_id)})};
    }
    Commands operator()(const RemoveVolume& remove) const {
        return {remove_volume(lvm, plan.group, plan.devices, remove.volume)};
    }
    Commands operator()(const CreateVolume& create) const {
        return {create_volume(lvm, plan.group, plan.devices, create.volume, create.size,
                              create.stripes)};
    }
    Commands operator()(const ActivateGroup& activate) const {
        return {activate_volumes(lvm, plan.group, plan.devices, activate.volumes)};
    }
    Commands operator()(const MakeFilesystem& make) const {
        return {make_filesystem(mkfs_name(make.volume.filesystem), make.volume, node(make.volume),
                                make.stripes)};
    }
    Commands operator()(const FinishVolumes& finish) const {
        return {finish_volumes(lvm, plan.group, plan.devices, finish.volumes)};
    }
    /// muster reads the superblock itself; nothing is run for it.
    Commands operator()(const CheckFilesystem& check) const {
        return {{.argv = {"blkid", "-p", node(check.volume)}}};
    }
    /// muster itself calls mount(2); nothing is run for it.
    Commands operator()(const MountVolume& mount) const {
        Command command{.argv = {"mount", "-t", to_string(mount.volume.filesystem)}};
        if (!mount.volume.options.empty()) {
            command.argv.insert(command.argv.end(),
                                {"-o", fmt::format("{}", fmt::join(mount.volume.options, ","))});
        }
        command.argv.insert(command.argv.end(), {node(mount.volume), mount.volume.mount});
        return {command};
    }
};

} // namespace

std::string describe(const Signature& signature) {
    std::string text = signature.type;
    if (!signature.label.empty()) text += fmt::format(" \"{}\"", signature.label);
    return text + fmt::format(" at offset {}", signature.offset);
}

std::string describe(const Plan& plan, const Step& step) {
    struct Describe {
        const Plan& plan;
        std::string operator()(const MarkGroup& mark) const {
            return fmt::format("mark the volume group {} on {} as one to be wiped", mark.group,
                               names_of(mark.devices));
        }
        std::string operator()(const WipeDisk& wipe) const {
            return fmt::format("wipe {}: {}", wipe.disk.node, wipe.why);
        }
        std::string operator()(const RemoveGroup& remove) const {
            return fmt::format("give up what is left of the volume group {}: {}", plan.group,
                               remove.why);
        }
        std::string operator()(const CreateGroup& create) const {
            return fmt::format("create the volume group {} on {}", plan.group,
                               names_of(create.devices));
        }
        std::string operator()(const RemoveVolume& remove) const {
            return fmt::format("remove the volume {} from {}: it was never finished", remove.volume,
                               plan.group);
        }
        std::string operator()(const CreateVolume& create) const {
            return fmt::format(
                "create the volume {} of {} in {}, {}", create.volume.name, create.size, plan.group,
                create.stripes > 1 ? fmt::format("striped over {} disks by {} KiB", create.stripes,
                                                 create.volume.stripe_size >> 10)
                                   : std::string("linear"));
        }
        std::string operator()(const ActivateGroup&) const {
            return fmt::format("activate the volume group {}", plan.group);
        }
        std::string operator()(const MakeFilesystem& make) const {
            return fmt::format("make {} on {}", to_string(make.volume.filesystem),
                               make.volume.name);
        }
        std::string operator()(const FinishVolumes& finish) const {
            return fmt::format("mark {} as finished", names_of(finish.volumes));
        }
        std::string operator()(const CheckFilesystem& check) const {
            return fmt::format("check that {} carries {}", check.volume.name,
                               to_string(check.volume.filesystem));
        }
        std::string operator()(const MountVolume& mount) const {
            return fmt::format("mount {} at {}", mount.volume.name, mount.volume.mount);
        }
    };
    return std::visit(Describe{plan}, step);
}

std::vector<std::string> commands_of(const Plan& plan, const Step& step) {
    std::vector<std::string> lines;
    for (const auto& command : std::visit(CommandsOf{plan}, step))
        lines.push_back(to_string(command));
    return lines;
}

} // namespace muster::lvm
