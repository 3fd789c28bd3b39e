#include "lvm/tool.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <iterator>

namespace muster::lvm {
namespace {

// No copies of the metadata below /etc: the disks are gone with the instance, and the root may be
// read-only. One report line a problem, none for the log file. A lock that another command has is
// not waited for: that one may hang on a stuck disk.
constexpr std::string_view configuration =
    "backup{backup=0 archive=0} log{prefix=\"\" command_names=0} "
    "global{use_lvmpolld=0 wait_for_locks=0";

constexpr std::string_view filesystem_tag_begins = "muster.filesystem=";

/// The same as --devices, for an LVM that does not have it.
std::string filter_of(const std::vector<std::string>& devices) {
    std::string list;
    for (const auto& device : devices)
        list += fmt::format("\"a|^{}$|\",", device);
    return fmt::format("filter=[{0}\"r|.*|\"] global_filter=[{0}\"r|.*|\"]", list);
}

/// The same disks, by the nodes that this LVM is to use.
std::vector<std::string> nodes_of(const LvmTool& lvm, std::vector<std::string> devices) {
    constexpr std::string_view before = "/dev";
    for (auto& device : devices) {
        if (device.starts_with(before)) device.replace(0, before.size(), lvm.nodes);
    }
    return devices;
}

/// Of udev's database LVM would learn udev's own nodes.
std::string scan_of(const LvmTool& lvm) {
    if (lvm.nodes == "/dev") return "";
    return fmt::format(" scan=[\"{}\"] obtain_device_list_from_udev=0", lvm.nodes);
}

/// An empty LVM_SYSTEM_DIR: no lvm.conf. What an AMI's owner has in there for other groups
/// (filters, a volume list, lvmlockd, a separator for lists) has broken every one of these
/// commands. `global` is added to that section.
Command lvm_command(const LvmTool& lvm, std::string_view verb,
                    const std::vector<std::string>& devices, std::string_view global = "") {
    Command command{.argv = {lvm.path, std::string(verb), "--config"},
                    .environment = {"LVM_SYSTEM_DIR="}};
    if (lvm.old) { // nor is lvmetad's memory asked
        command.argv.push_back(fmt::format("{}{} use_lvmetad=0}} devices{{{}}}", configuration,
                                           global, filter_of(devices)));
    } else {
        command.argv.push_back(
            fmt::format("{}{}}} devices{{hints=\"none\"{}}}", configuration, global, scan_of(lvm)));
        command.argv.emplace_back("--devices");
        command.argv.push_back(fmt::format("{}", fmt::join(nodes_of(lvm, devices), ",")));
    }
    return command;
}

template <class... Words>
void append(Command& command, Words&&... words) {
    (command.argv.emplace_back(std::forward<Words>(words)), ...);
}

} // namespace

std::string instance_tag(std::string_view instance_id) {
    return fmt::format("muster.instance={}", instance_id);
}

std::string wipe_tag(std::string_view instance_id) {
    return fmt::format("muster.wipe={}", instance_id);
}

std::string filesystem_tag(Filesystem filesystem) {
    return fmt::format("{}{}", filesystem_tag_begins, to_string(filesystem));
}

std::optional<std::string> find_tool(const Files& files, std::string_view name) {
    for (const std::string_view folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"}) {
        auto path = std::string(folder).append(name);
        if (files.exists(path)) return path;
    }
    return std::nullopt;
}

Command ask_version(const LvmTool& lvm) {
    return {.argv = {lvm.path, "version"}, .environment = {"LVM_SYSTEM_DIR="}};
}

Result<bool> is_old_lvm(std::string_view version) {
    constexpr std::string_view before = "LVM version:";
    const auto line = version.find(before);
    std::array<unsigned, 3> numbers{};
    if (line == std::string_view::npos) {
        return fail(Errc::malformed, "lvm version: no line with \"LVM version:\"");
    }
    auto rest = version.substr(line + before.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    for (auto& number : numbers) {
        const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        if (read.ec != std::errc()) {
            return fail(Errc::malformed, "lvm version: expected a version like 2.03.16");
        }
        rest.remove_prefix(static_cast<std::size_t>(read.ptr - rest.data()));
        if (rest.starts_with('.')) rest.remove_prefix(1);
    }
    return numbers < std::array<unsigned, 3>{2, 3, 12};
}

bool is_locked_out(const CommandOutput& output) {
    // Of a group's lock, and of the global one, which 2.03 says no more of.
    return output.exit_status != 0 &&
           (output.err.contains("Can't get lock for") ||
            output.err.contains("flock failed: Resource temporarily unavailable"));
}

Command read_report(const LvmTool& lvm, const std::vector<std::string>& devices) {
    // 2.02 repairs what it reads, on the disks: "Removing PV that no longer belongs to VG".
    auto command = lvm_command(lvm, "fullreport", devices, " metadata_read_only=1");
    // Remarks go where errors go (lvm(8), since 2.02.163): "Retrying metadata scan." stood in the
    // middle of the JSON.
    command.environment.emplace_back("LVM_OUT_FD=2");
    append(command, "--reportformat", "json", "--units", "b", "--nosuffix");
    append(command, "--configreport", "vg", "-o",
           "vg_name,vg_uuid,vg_tags,vg_extent_size,vg_free_count,vg_exported");
    append(command, "--configreport", "pv", "-o",
           "pv_name,pv_uuid,pv_major,pv_minor,pv_missing,pv_in_use,pv_pe_count,pv_pe_alloc_count");
    append(command, "--configreport", "lv", "-o", "lv_name,lv_uuid,lv_size,lv_active,lv_tags");
    append(command, "--configreport", "pvseg", "-o", "pvseg_start");
    append(command, "--configreport", "seg", "-o", "lv_name,stripes");
    return command;
}

Command create_group(const LvmTool& lvm, const std::string& group,
                     const std::vector<std::string>& devices,
                     const std::vector<std::string>& tags) {
    auto command = lvm_command(lvm, "vgcreate", devices);
    command.writes_disks = true;
    // Not activated by udev at the next boot: one missing disk would leave half a group behind
    // (lvm2 issue 174), and muster activates it when all is proved.
    if (!lvm.old) append(command, "--setautoactivation", "n");
    for (const auto& tag : tags)
        append(command, "--addtag", tag);
    append(command, "--", group);
    for (auto& node : nodes_of(lvm, devices))
        append(command, std::move(node));
    return command;
}

Command mark_group(const LvmTool& lvm, const std::string& group,
                   const std::vector<std::string>& devices, const std::string& tag) {
    auto command = lvm_command(lvm, "vgchange", devices);
    command.writes_disks = true;
    append(command, "--addtag", tag, "--", group);
    return command;
}

Command create_volume(const LvmTool& lvm, const std::string& group,
                      const std::vector<std::string>& devices, const VolumeLayout& volume,
                      const std::string& size, unsigned stripes) {
    auto command = lvm_command(lvm, "lvcreate", devices);
    command.writes_disks = true;
    // In a group that is proved ours LVM may wipe what it finds at the start of the new volume:
    // what the disks held before they came to us.
    append(command, "--yes", "--wipesignatures", "y", "--zero", "y", "--addtag",
           filesystem_tag(volume.filesystem), "--addtag", unfinished_tag, "--name", volume.name);
    // Nor activated by an old LVM's udev rules: not without being told to skip this flag.
    if (lvm.old) append(command, "--setactivationskip", "y", "--ignoreactivationskip");
    append(command, size.ends_with('b') ? "--size" : "--extents", size);
    if (stripes > 1) {
        append(command, "--stripes", std::to_string(stripes), "--stripesize",
               fmt::format("{}k", volume.stripe_size >> 10));
    }
    append(command, "--", group);
    return command;
}

Command remove_group(const LvmTool& lvm, const std::string& group,
                     const std::vector<std::string>& devices) {
    auto command = lvm_command(lvm, "vgremove", devices);
    command.writes_disks = true;
    append(command, "--yes", "--", group);
    return command;
}

Command remove_labels(const LvmTool& lvm, const std::vector<std::string>& devices) {
    auto command = lvm_command(lvm, "pvremove", devices);
    command.writes_disks = true;
    append(command, "--");
    for (auto& node : nodes_of(lvm, devices))
        append(command, std::move(node));
    return command;
}

Command remove_volume(const LvmTool& lvm, const std::string& group,
                      const std::vector<std::string>& devices, const std::string& volume) {
    auto command = lvm_command(lvm, "lvremove", devices);
    command.writes_disks = true;
    append(command, "--yes", "--", fmt::format("{}/{}", group, volume));
    return command;
}

Command finish_volumes(const LvmTool& lvm, const std::string& group,
                       const std::vector<std::string>& devices,
                       const std::vector<std::string>& volumes) {
    auto command = lvm_command(lvm, "lvchange", devices);
    command.writes_disks = true;
    append(command, "--deltag", unfinished_tag, "--");
    for (const auto& volume : volumes)
        append(command, fmt::format("{}/{}", group, volume));
    return command;
}

bool is_unfinished(const LogicalVolume& volume) {
    return std::ranges::find(volume.tags, unfinished_tag) != volume.tags.end();
}

bool is_made_by_us(const LogicalVolume& volume) {
    return std::ranges::any_of(
        volume.tags, [](const std::string& tag) { return tag.starts_with(filesystem_tag_begins); });
}

Command write_zeros(const std::string& blkdiscard, const std::string& node, const Extent& extent) {
    return {.argv = {blkdiscard, "--zeroout", "--offset", std::to_string(extent.offset), "--length",
                     std::to_string(extent.length), node}};
}

Command forget_partitions(const std::string& blockdev, const std::string& node) {
    return {.argv = {blockdev, "--rereadpt", node}};
}

Command activate_volumes(const LvmTool& lvm, const std::string& group,
                         const std::vector<std::string>& devices,
                         const std::vector<std::string>& volumes) {
    auto command = lvm_command(lvm, "lvchange", devices);
    append(command, "--activate", "y");
    if (lvm.old) append(command, "--ignoreactivationskip");
    append(command, "--");
    for (const auto& volume : volumes)
        append(command, fmt::format("{}/{}", group, volume));
    return command;
}

Command make_filesystem(const std::string& mkfs, const VolumeLayout& volume,
                        const std::string& node, unsigned stripes) {
    Command command{.argv = {mkfs, "-q"}, .writes_disks = true};
    const std::uint64_t stripe = volume.stripe_size;
    // Never a discard: the disks come trimmed, and trimming them again has taken up to 30 minutes
    // (magic_castle issue 325).
    if (volume.filesystem == Filesystem::xfs) {
        append(command, "-K", "-L", volume.name.substr(0, 12));
        if (stripes > 1) {
            append(command, "-d", fmt::format("su={}k,sw={}", stripe >> 10, stripes));
            // mkfs may choose the stripe for the log, too: then each synced write of 4 KiB writes
            // 256 KiB of it (measured: docs/disks.md). Only parity would have something of that.
            append(command, "-l", "su=4k");
        }
    } else {
        std::string extended = "nodiscard,lazy_itable_init=1";
        constexpr std::uint64_t block = 4096;
        if (stripes > 1) {
            extended +=
                fmt::format(",stride={},stripe_width={}", stripe / block, stripe / block * stripes);
        }
        append(command, "-L", volume.name.substr(0, 16), "-b", std::to_string(block), "-E",
               extended);
    }
    append(command, node);
    return command;
}

std::string mkfs_name(Filesystem filesystem) {
    return "mkfs." + to_string(filesystem);
}

std::string to_string(Filesystem filesystem) {
    switch (filesystem) {
    case Filesystem::xfs: return "xfs";
    case Filesystem::ext4: return "ext4";
    case Filesystem::none: break;
    }
    return "none";
}

std::string mapper_name(std::string_view group, std::string_view volume) {
    std::string name;
    const auto append_doubled = [&](std::string_view part) {
        for (const char c : part)
            name += c == '-' ? std::string("--") : std::string(1, c);
    };
    append_doubled(group);
    name += '-';
    append_doubled(volume);
    return name;
}

std::string mapper_uuid(std::string_view group_uuid) {
    std::string uuid = "LVM-";
    std::ranges::remove_copy(group_uuid, std::back_inserter(uuid), '-');
    return uuid;
}

std::string mapper_group(std::string_view node_uuid) {
    constexpr std::string_view before = "LVM-";
    constexpr std::size_t uuid_size = 32;
    const auto size = before.size() + uuid_size;
    if (!node_uuid.starts_with(before) || node_uuid.size() < size) return "";
    return std::string(node_uuid.substr(0, size));
}

} // namespace muster::lvm
