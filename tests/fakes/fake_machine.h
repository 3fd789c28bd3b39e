// A machine with disks that keep what is written to them, for the tests of assembly: sysfs and
// mountinfo in a temporary folder, the kernel's answers, and every write kept with the disk that
// it went to. What LVM does on it is in fake_lvm.h.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/sys/kernel.h"
#include "lvm/survey.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

namespace muster {

/// Thrown where the power goes; the machine is as it was at that moment.
struct PowerCut {};

/// What an outside call does instead of its work.
enum class Fault {
    none,
    error,   ///< it fails and does nothing
    stuck,   ///< it neither succeeds nor fails, and does nothing
    garbage, ///< what it says can't be understood; its work is done
    half,    ///< half of what it says, half of its work, and an error where that shows
    lie,     ///< it says that all went well, and has done nothing
};

class FakeMachine : public Kernel {
  public:
    struct FakeDisk {
        FakeSysfs::Spec spec;
        DiskContent content{.zeroed = true};
        std::string pv;                     ///< the label's uuid; "" without a label
        std::string group;                  ///< uuid of the group that the label is in; "" for none
        std::vector<std::string> holders{}; ///< of somebody else's: "md0"
        bool in_use = false;                ///< the label says that some group has the disk
        bool claimed = false;               ///< by somebody who can't be seen
        bool damaged = false;               ///< its copy of the group's metadata
        std::vector<Opener>
            openers{}; ///< programs that have it open; without a number: the disk itself
        std::vector<std::string> partitions{};
        std::set<std::uint64_t> zeroed{}; ///< where stretches were zeroed
        /// What lies where a volume would begin: in the second MiB, which no look at the disk sees.
        DiskContent beneath{.zeroed = true};
    };
    struct Volume {
        std::string name;
        std::string uuid;
        std::uint64_t extents = 0;
        unsigned stripes = 1;
        std::optional<unsigned> minor; ///< of its device-mapper node; inactive without
        DiskContent content{};
        std::vector<std::string> mounts;
        std::vector<std::string> tags{};
        bool mkfs_incomplete = false; ///< sb_inprogress: no kernel mounts it
        /// Volumes of the same group on whose nodes it lies (a snapshot's origin, the parts of a
        /// pool); on the disks where there is none.
        std::vector<std::string> over{};
        bool hidden = false; ///< LVM's report tells of it only when asked for all
        bool bare = false;   ///< the disks were taken from under it
    };
    struct Group {
        std::string name;
        std::string uuid;
        std::vector<std::string> tags;
        std::vector<std::string> pvs; ///< uuids
        std::vector<Volume> volumes;
        bool exported = false;
    };
    struct Write {
        std::string disk;
        std::string what;
        friend bool operator==(const Write&, const Write&) = default;
    };

    FakeSysfs sysfs{true};
    FakeClock clock;
    std::map<std::string, FakeDisk> disks; ///< by name
    std::vector<Group> groups;
    std::vector<Write> writes;
    std::set<std::string> quiet; ///< disks with a node that udev does not watch
    std::vector<std::pair<DeviceNumber, std::string>> other_mounts;
    std::map<std::string, std::string> links; ///< paths that udev made, to disks by name
    std::map<std::string, std::string, std::greater<>> folder_links; ///< of root's: /mnt, /var/mnt
    std::map<std::string, std::vector<std::string>> files_at{}; ///< in folders of root's filesystem

    // Switches of a test.
    int cut_before = -1; ///< the power goes right before this effect (the first is 0)
    int cut_after = -1;
    int fault_at = -1; ///< this outside call (the first is 0) goes wrong
    Fault fault = Fault::none;
    std::set<std::string> stuck_calls{}; ///< each of these, every time

    bool partitions_stay = false; ///< one is open
    std::size_t unseen = 0;       ///< processes whose descriptors can't be seen
    /// What else goes on when an outside call begins.
    std::function<void(const std::string& call)> meanwhile{};

    // What happened.
    int effects = 0;
    int calls = 0;
    std::vector<std::string> called;

    void add(FakeSysfs::Spec spec, DiskContent content = {.zeroed = true}) {
        sysfs.disk(spec);
        const auto name = spec.name;
        disks[name] = {std::move(spec), std::move(content), "", ""};
    }
    /// An instance-store disk: "nvme1n1", 259:1.
    void add_nvme(unsigned n, DiskContent content = {.zeroed = true}) {
        add({.name = fmt::format("nvme{}n1", n),
             .number = {259, n},
             .model = "Amazon EC2 NVMe Instance Storage",
             .serial = fmt::format("AWS{}", n)},
            std::move(content));
    }

    /// A fresh kernel on the same disks.
    void reboot() {
        for (auto& group : groups) {
            for (auto& volume : group.volumes) {
                volume.minor.reset();
                volume.mounts.clear();
            }
        }
        other_mounts.clear();
        cut_before = cut_after = fault_at = -1;
        effects = calls = 0;
        called.clear();
        writes.clear();
        refresh();
    }

    /// A label of LVM's, alone on the disk, in no group.
    void label(const std::string& name, const std::string& uuid, bool in_use = false) {
        auto& disk = disks.at(name);
        disk.pv = uuid;
        disk.group.clear();
        disk.damaged = false;
        disk.in_use = in_use;
        disk.content = {.signatures = {{"LVM2_member", "raid", "", uuid, 536}}, .lvm_empty = true};
    }

    void add_partition(const std::string& name, const std::string& partition, DeviceNumber number) {
        disks.at(name).partitions.push_back(partition);
        sysfs.partition(name, partition, number);
    }

    void zero(const std::string& name, std::uint64_t offset, std::uint64_t length) {
        auto& disk = disks.at(name);
        auto& content = disk.content;
        const auto within = [&](const Signature& signature) {
            return signature.offset >= offset && signature.offset < offset + length;
        };
        const bool label = std::ranges::any_of(content.signatures, [&](const auto& signature) {
            return within(signature) && signature.type == "LVM2_member";
        });
        std::erase_if(content.signatures, within);
        disk.zeroed.insert(offset);
        if (content.signatures.empty()) content.preformatted = false;
        if (offset < (2 << 20) && offset + length >= (2 << 20)) disk.beneath = {.zeroed = true};
        const auto tail = disk.spec.size - (1 << 20);
        if (label) {
            // What a group had there is in the rest of the metadata area, and its data at the end.
            content.lvm_remains =
                content.lvm_empty && disk.zeroed.contains(8192) && disk.zeroed.contains(tail);
            content.lvm_empty = false;
            disk.pv.clear();
            disk.group.clear();
            disk.in_use = false;
            std::erase_if(groups, [&](const Group& group) { return disks_of(group).empty(); });
        }
        // The first block, the rest of the first MiB, the last MiB.
        if (disk.zeroed.contains(0) && disk.zeroed.contains(4096) && disk.zeroed.contains(tail)) {
            content.lvm_remains = false;
            content.zeroed = content.signatures.empty();
            content.ends = 0;
        }
    }

    /// Somebody has the disk for himself.
    [[nodiscard]] bool is_busy(const std::string& name) const {
        const auto& disk = disks.at(name);
        if (disk.claimed || !disk.holders.empty()) return true;
        for (const auto& [number, target] : other_mounts) {
            if (number == disk.spec.number) return true;
        }
        for (const auto& group : groups) {
            for (const auto& volume : group.volumes) {
                if (volume.minor && group.uuid == disk.group) return true;
            }
        }
        return false;
    }

    /// Counts an outside call; tells whether it goes wrong.
    [[nodiscard]] Fault enter(std::string what) {
        if (meanwhile) meanwhile(what);
        const bool hangs = stuck_calls.contains(what);
        called.push_back(std::move(what));
        if (hangs) return ++calls, Fault::stuck;
        return calls++ == fault_at ? fault : Fault::none;
    }

    /// Something that lasts: a write to these disks (none: to the kernel's memory only).
    template <class Change>
    void effect(const std::vector<std::string>& on, const std::string& what, Change change) {
        if (effects == cut_before) throw PowerCut();
        for (const auto& disk : on)
            writes.push_back({disk, what});
        change();
        refresh();
        if (effects++ == cut_after) throw PowerCut();
    }

    [[nodiscard]] std::vector<std::string> disks_of(const Group& group) const {
        std::vector<std::string> names;
        for (const auto& [name, disk] : disks) {
            if (disk.group == group.uuid && !disk.pv.empty()) names.push_back(name);
        }
        return names;
    }

    /// Shows in /sys and /proc what there is; touches no file where that is shown already, as after
    /// most effects.
    void refresh() {
        for (const auto& [name, disk] : disks) {
            for (const auto& holder : disk.holders)
                sysfs.holder(name, holder);
        }
        Shown now;
        for (const auto& group : groups) {
            for (const auto& volume : group.volumes)
                show(now, group, volume);
        }
        std::string gone = "?"; // with all that is in it
        for (const auto& [path, content] : shown_) {
            if (now.contains(path) || path.starts_with(gone + "/")) continue;
            sysfs.drop(path);
            gone = path;
        }
        for (const auto& [path, content] : now) {
            const auto before = shown_.find(path);
            if (before != shown_.end() && before->second == content) continue;
            content ? sysfs.put(path, *content) : sysfs.folder(path);
        }
        shown_ = std::move(now);
        sysfs.remount([&] {
            sysfs.mount({1, 1}, "/");
            for (const auto& group : groups) {
                for (const auto& volume : group.volumes)
                    show_mounts(volume);
            }
            for (const auto& [number, target] : other_mounts)
                sysfs.mount(number, target);
        });
    }

    Volume* active(std::string_view node) {
        for (auto& group : groups) {
            for (auto& volume : group.volumes) {
                if (!volume.minor) continue;
                if (node == fmt::format("/dev/dm-{}", *volume.minor) ||
                    node == "/dev/mapper/" + group.name + "-" + volume.name) {
                    return &volume;
                }
            }
        }
        return nullptr;
    }

    // The kernel.
    [[nodiscard]] Result<DeviceNumber> block_device(std::string_view node) override {
        if (const auto bad = failed(enter(fmt::format("block_device {}", node)), {})) {
            // Here `malformed` would be an answer: the node is no block device.
            return fail(Errc::internal, bad->error().message);
        }
        if (const auto* volume = active(node)) return DeviceNumber{254, *volume->minor};
        for (const auto& [name, disk] : disks) {
            if (node == "/dev/" + name) return disk.spec.number;
        }
        return fail(Errc::absent, fmt::format("{}: no such node", node));
    }
    [[nodiscard]] Result<DeviceNode> device_node(std::string_view path) override {
        const auto link = links.find(std::string(path));
        const auto number = block_device(link == links.end() ? path : "/dev/" + link->second);
        if (!number) return fail(number.error());
        return DeviceNode{*number, link != links.end()};
    }
    [[nodiscard]] Result<DiskContent> content(std::string_view node, Deadline deadline) override {
        if (const auto bad = failed(enter(fmt::format("content {}", node)), deadline)) return *bad;
        if (const auto* volume = active(node)) return volume->content;
        const auto found = disks.find(std::string(node.substr(5)));
        if (found == disks.end()) return fail(Errc::absent, fmt::format("{}: no such node", node));
        return found->second.content;
    }
    [[nodiscard]] Result<bool> is_claimed(std::string_view node, Deadline deadline) override {
        const auto bad = enter(fmt::format("is_claimed {}", node));
        if (bad == Fault::lie) return false;
        if (const auto error = failed(bad, deadline)) return *error;
        return is_busy(std::string(node.substr(5)));
    }
    [[nodiscard]] Result<Openers> openers(const std::vector<DeviceNumber>& devices,
                                          Deadline deadline) override {
        const auto bad = enter("openers");
        if (bad == Fault::lie) return Openers{};
        if (const auto error = failed(bad, deadline)) return *error;
        Openers result{.found = {}, .unseen = unseen};
        for (const auto& [name, disk] : disks) {
            for (auto opener : disk.openers) {
                if (opener.device == DeviceNumber{}) opener.device = disk.spec.number;
                if (std::ranges::find(devices, opener.device) != devices.end())
                    result.found.push_back(std::move(opener));
            }
        }
        return result;
    }
    [[nodiscard]] Result<Wiped> wipe(const WipeRequest& request, Deadline deadline) override {
        const auto bad = enter("wipe " + request.node);
        if (bad == Fault::lie) return Wiped::all;
        const auto name = request.node.substr(5);
        if (bad == Fault::half && disks.contains(name)) {
            zero_some(name, request.extents, request.extents.size() / 2);
            return fail(Errc::io, "fake: input/output error");
        }
        if (bad == Fault::error || bad == Fault::stuck) return *failed(bad, deadline);
        const auto found = disks.find(name);
        if (found == disks.end()) return fail(Errc::absent, "fake: no such node");
        if (is_busy(name)) return Wiped::in_use;
        if (found->second.spec.number != request.number) return Wiped::other_device;
        if (found->second.content != request.content) return Wiped::other_content;
        zero_some(name, request.extents, request.extents.size());
        if (request.partitioned) {
            if (partitions_stay) return Wiped::partitions_stay;
            effect({}, "partitions forgotten", [&] { forget_partitions(name); });
        }
        if (bad == Fault::garbage) return fail(Errc::internal, "fake: garbage");
        return Wiped::all;
    }
    [[nodiscard]] Result<std::string> volume_group(std::string_view node,
                                                   Deadline deadline) override {
        const auto bad = enter(fmt::format("volume_group {}", node));
        if (bad == Fault::lie) return "";
        if (const auto error = failed(bad, deadline)) return *error;
        const auto found = disks.find(std::string(node.substr(5)));
        if (found != disks.end() && found->second.damaged) {
            return fail(Errc::malformed, "fake: a checksum is wrong");
        }
        for (const auto& group : groups) {
            if (found != disks.end() && found->second.group == group.uuid) return group.name;
        }
        return "";
    }
    [[nodiscard]] Result<void> make_quiet_nodes(const std::vector<Disk>& wanted) override {
        const auto bad = enter("make_quiet_nodes");
        if (bad == Fault::lie) return {};
        if (bad != Fault::none) return fail(Errc::denied, "fake: no node can be made");
        for (const auto& disk : wanted)
            quiet.insert(disk.name);
        return {};
    }
    void drop_quiet_nodes() override { quiet.clear(); }
    [[nodiscard]] std::unique_ptr<BlockWatch> watch_blocks() override {
        return std::make_unique<FakeWatch>(clock);
    }
    /// Where links lead, the longest first.
    [[nodiscard]] std::string resolved(std::string path) const {
        for (const auto& [link, to] : folder_links) {
            if (path == link || path.starts_with(link + "/")) path.replace(0, link.size(), to);
        }
        return path;
    }
    [[nodiscard]] Result<MountPoint> mount_point(std::string_view target,
                                                 Deadline deadline) override {
        const auto bad = enter(fmt::format("mount_point {}", target));
        if (const auto error = failed(bad, deadline)) return *error;
        MountPoint point{.path = resolved(std::string(target)), .mounted = {}, .entries = {}};
        if (bad == Fault::lie) return point;
        const auto text = sysfs.files().read("/proc/self/mountinfo");
        const auto mounts = parse_mountinfo(text.value_or(""));
        REQUIRE(mounts);
        const auto top =
            std::ranges::find(mounts->rbegin(), mounts->rend(), point.path, &Mount::target);
        if (top != mounts->rend()) {
            point.mounted = *top;
        } else if (const auto found = files_at.find(point.path); found != files_at.end()) {
            point.entries = found->second;
        }
        return point;
    }
    [[nodiscard]] Result<void> mount(const MountRequest& request, Deadline deadline) override {
        const auto bad = enter("mount " + request.target);
        if (bad == Fault::lie) return {};
        if (const auto error = failed(bad, deadline)) return *error;
        auto* volume = active(request.source);
        if (volume == nullptr) return fail(Errc::absent, request.source + ": no such node");
        const auto& found = volume->content.signatures;
        if (std::ranges::find(found, request.filesystem, &Signature::type) == found.end() ||
            volume->mkfs_incomplete) {
            return fail(Errc::malformed, "wrong fs type, bad option, bad superblock");
        }
        const auto path = resolved(request.target);
        const auto& at = volume->mounts;
        if (std::ranges::find(at, path) != at.end()) return {}; // another program was quicker
        effect({}, "mount", [&] { volume->mounts.push_back(path); });
        return {};
    }
    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_read(std::string_view, const std::vector<std::uint64_t>&, std::uint32_t) override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_write(std::string_view, std::optional<DeviceNumber>) override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<std::string> log_page(std::string_view, std::uint8_t, std::uint32_t,
                                               Deadline) override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<std::vector<std::string>> log_records() override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<std::string> identify(std::string_view, Deadline) override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<Space> space(std::string_view, Deadline) override {
        return fail(Errc::internal, "not in this fake");
    }
    [[nodiscard]] Result<std::vector<FolderEntry>> folder(std::string_view, Deadline) override {
        return fail(Errc::internal, "not in this fake");
    }

  private:
    /// Each extent is an effect of its own: the power may go between two.
    void zero_some(const std::string& name, const std::vector<Extent>& extents, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            effect({name}, "zeros", [&] { zero(name, extents[i].offset, extents[i].length); });
    }
    void forget_partitions(const std::string& name) {
        for (const auto& partition : disks.at(name).partitions)
            sysfs.drop("/sys/block/" + name + "/" + partition);
        disks.at(name).partitions.clear();
    }

    std::optional<std::unexpected<Error>> failed(Fault bad, Deadline deadline) {
        switch (bad) {
        case Fault::none:
        case Fault::lie: return std::nullopt;
        case Fault::stuck:
            clock.sleep_until(deadline.at);
            return fail(Errc::stuck, "fake: neither succeeds nor fails");
        case Fault::error: return fail(Errc::io, "fake: input/output error");
        case Fault::half:
        case Fault::garbage: break;
        }
        return fail(Errc::malformed, "fake: garbage");
    }

    /// A path in /sys with its content, none for a folder.
    using Shown = std::map<std::string, std::optional<std::string>>;

    void show(Shown& now, const Group& group, const Volume& volume) const {
        if (!volume.minor) return;
        const auto node = fmt::format("dm-{}", *volume.minor);
        const auto folder = "/sys/block/" + node;
        const auto bare = [](std::string uuid) {
            std::erase(uuid, '-');
            return uuid;
        };
        now[folder]; // goes with all that is in it
        now[folder + "/dm/name"] = group.name + "-" + volume.name + "\n";
        now[folder + "/dm/uuid"] = "LVM-" + bare(group.uuid) + bare(volume.uuid) + "\n";
        now[folder + "/size"] = fmt::format("{}\n", volume.extents * 8192);
        now[folder + "/slaves"];
        if (volume.bare) return;
        const auto lie_on = [&](const std::string& slave) {
            now[folder + "/slaves/" + slave];
            now["/sys/block/" + slave + "/holders/" + node];
        };
        for (const auto& name : volume.over) {
            const auto beneath = std::ranges::find(group.volumes, name, &Volume::name);
            if (beneath != group.volumes.end() && beneath->minor)
                lie_on(fmt::format("dm-{}", *beneath->minor));
        }
        if (!volume.over.empty()) return;
        for (const auto& disk : disks_of(group))
            lie_on(disk);
    }

    void show_mounts(const Volume& volume) {
        if (!volume.minor) return;
        for (const auto& target : volume.mounts) {
            sysfs.mount({254, *volume.minor}, target, "rw", "/",
                        volume.content.signatures.empty() ? "none"
                                                          : volume.content.signatures[0].type);
        }
    }

    Shown shown_; ///< of device-mapper
};

} // namespace muster
