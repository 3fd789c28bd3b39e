// Machines at random: any content on any disk, any policy, a mapping that lies, strangers who
// write.
#pragma once

#include <cstdint>
#include <random>

#include "tests/lvm/assembly.h"

namespace muster::lvm {

/// Not made by muster, whatever its group.
inline std::vector<std::string> owners_volumes(const FakeMachine::Group& group) {
    std::vector<std::string> names;
    for (const auto& volume : group.volumes) {
        const bool made = std::ranges::any_of(volume.tags, [](const std::string& tag) {
            return tag.starts_with("muster.filesystem=");
        });
        if (!made && !volume.hidden && volume.name != "scratch") names.push_back(volume.name);
    }
    return names;
}

class RandomMachine {
  public:
    explicit RandomMachine(std::uint64_t seed) : random_(seed), spice_(seed % 2 == 0 ? 1 : 0.15) {
        // Most machines have disks of one kind.
        xen_ = seed % 5 == 0 ? 0.4 : seed % 5 < 3 ? 0.95 : 0.05;
        const auto& type =
            types[static_cast<std::size_t>(number(0, static_cast<int>(types.size()) - 1))];
        job.instance_type = type.first;
        store_ = type.second;
        const auto count = number(1, 8);
        for (int n = 0; n < count; ++n)
            add_disk(static_cast<unsigned>(n));
        // Drawn from all of them, EBS volumes too: somebody may have given our tags to anything.
        while (chance(0.35))
            add_group();
        add_links();
        add_mapping();
        job.layout.on_foreign_data =
            std::array{ForeignData::refuse, ForeignData::refuse, ForeignData::wipe_preformatted,
                       ForeignData::wipe}[static_cast<std::size_t>(number(0, 3))];
        job.layout.on_partial = chance(0.5) ? PartialGroup::rebuild : PartialGroup::fail;
        job.layout.volumes[0].filesystem = chance(0.5) ? Filesystem::xfs : Filesystem::ext4;
        job.layout.volumes[0].layout = chance(0.5) ? Layout::striped : Layout::linear;
        if (seed % 3 == 0) job.machine.folder_links = {{"/mnt", "/var/mnt"}};
        if (seed % 4 == 0) job.machine.files_at["/mnt/scratch"] = {"old"};
        job.machine.refresh();
        for (const auto& name : spoilt_)
            job.machine.sysfs.spoil("/sys/block/" + name + "/" +
                                    pick({"size", "ro", "dev", "device/model", "device/serial"}));
        for (const auto& [name, disk] : job.machine.disks) {
            if (may_be_written(name)) permitted.insert(name);
            // One whose model can't be read is no candidate in here; the agent waits for it in
            // vain.
            const bool known = is_ephemeral(name) && !spoilt_.contains(name);
            if (known && may_hold_data(name)) with_data.insert(name);
        }
        if (chance(0.3)) {
            job.machine.fault_at = job.machine.calls + number(0, 25);
            job.machine.fault = std::array{Fault::error, Fault::stuck, Fault::garbage, Fault::half,
                                           Fault::lie}[static_cast<std::size_t>(number(0, 4))];
        }
        // Only openers' own look tells of a program that has a disk open.
        if (held_ && job.machine.fault == Fault::lie) job.machine.fault = Fault::error;
        if (chance(0.2)) job.machine.cut_before = number(0, 10);
        if (chance(0.2)) another_disk_at(number(0, 3));
    }

    Outcome run() {
        const auto plan = job.plan();
        if (!plan) return {plan.error().reason, plan.error().message, 0};
        a_stranger_comes();
        return job.apply(*plan);
    }

    Assembly job;
    std::set<std::string> permitted;
    std::set<std::string> with_data; ///< instance-store disks, at the beginning
    std::string exchanged;           ///< this disk became another one ...
    std::size_t writes_before = 0;   ///< ... after so many writes
    std::string stranger_on; ///< a stranger has written to this disk, which was not ours ...
    std::size_t seen_after = SIZE_MAX; ///< ... and it was looked at again after so many writes

    /// The plan is made. A stranger writes to a disk, when so many calls more have been made.
    void a_stranger_comes() {
        if (!chance(0.4) || permitted.empty()) return;
        auto at = permitted.begin();
        std::advance(at, number(0, static_cast<int>(permitted.size()) - 1));
        const auto name = *at;
        const bool signs = chance(0.5);
        const int when = number(0, 12);
        job.machine.meanwhile = [this, name, signs, n = when](const std::string& call) mutable {
            if (!stranger_on.empty()) {
                const bool looks = call == "content /dev/" + name || call == "wipe /dev/" + name;
                if (looks) seen_after = std::min(seen_after, job.machine.writes.size());
                return;
            }
            auto& disk = job.machine.disks.at(name);
            if (n-- > 0 || !disk.pv.empty()) return;
            stranger_on = name;
            disk.content = {.ends = 4711};
            if (signs) disk.content.signatures = {{"ext4", "filesystem", "payroll", "", 1080}};
            if (call == "wipe /dev/" + name) seen_after = job.machine.writes.size();
            if (call == "content /dev/" + name) seen_after = job.machine.writes.size();
        };
    }

  private:
    /// Types, and how many ephemeral disks without a model each has.
    static constexpr std::array<std::pair<const char*, int>, 9> types{{{"m1.xlarge", 4},
                                                                       {"i2.8xlarge", 8},
                                                                       {"i2.8xlarge", 8},
                                                                       {"d2.2xlarge", 6},
                                                                       {"d2.xlarge", 3},
                                                                       {"h1.4xlarge", 2},
                                                                       {"m3.large", 1},
                                                                       {"i3.4xlarge", 0},
                                                                       {"g2.2xlarge", 0}}};
    static constexpr std::uint64_t too_large = std::uint64_t{5} << 40; ///< for any of these

    bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
    int number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
    std::string pick(std::initializer_list<const char*> from) {
        return *(from.begin() + number(0, static_cast<int>(from.size()) - 1));
    }

    DiskContent any_content() {
        if (!chance(0.4 * spice_)) return {.zeroed = true};
        if (chance(0.2)) return {.lvm_remains = true};
        if (chance(0.2)) return {}; // data without a signature
        DiskContent content{.zeroed = chance(0.1)};
        do {
            content.signatures.push_back({pick({"ext4", "xfs", "swap", "gpt", "dos", "crypto_LUKS",
                                                "linux_raid_member", "LVM2_member", "btrfs"}),
                                          "filesystem", pick({"", "precious"}), "", 1080});
        } while (chance(0.3));
        content.preformatted =
            content.signatures.size() == 1 && content.signatures[0].type == "ext4" && chance(0.5);
        return content;
    }

    void add_disk(unsigned n) {
        FakeSysfs::Spec spec;
        const bool xen = chance(xen_);
        spec.name = xen ? std::string(chance(0.8) ? "xvd" : "sd") + static_cast<char>('a' + n)
                        : fmt::format("nvme{}n1", n);
        spec.number = {xen ? 202U : 259U, n * 16};
        spec.read_only = chance(0.08 * spice_);
        if (chance(0.05 * spice_)) spec.size = too_large;
        if (!xen) {
            spec.model =
                pick({"Amazon EC2 NVMe Instance Storage", "Amazon EC2 NVMe Instance Storage",
                      "Amazon EC2 NVMe Instance Storage", "Amazon Elastic Block Store",
                      "Amazon EC2 NVMe Instance Storage 2", "QEMU NVMe Ctrl"});
            spec.serial = fmt::format("S{}", n);
        }
        const auto name = spec.name;
        const auto device = spec.number;
        const bool shifted = chance(0.05 * spice_);
        job.machine.add(std::move(spec), any_content());
        auto& disk = job.machine.disks.at(name);
        if (xen && (shifted || chance(0.5))) attach_to_xen(name, n, shifted);
        if (chance(0.05 * spice_)) job.machine.other_mounts.emplace_back(device, "/srv/" + name);
        if (chance(0.05 * spice_)) disk.holders = {"md0"};
        disk.claimed = chance(0.05 * spice_);
        if (chance(0.08 * spice_)) {
            disk.openers = {{.pid = 42, .program = "dd", .writes = chance(0.5)}};
            held_ = true;
        }
        if (chance(0.05 * spice_)) {
            const DeviceNumber part{device.major, device.minor + 1};
            job.machine.add_partition(name, name + (xen ? "1" : "p1"), part);
        }
        if (chance(0.05 * spice_)) {
            job.machine.sysfs.swap("/dev/" + name);
            swapped_.insert(name);
        }
        if (chance(0.04 * spice_)) spoilt_.insert(name);
        if (chance(0.3)) disk.beneath = {.signatures = {{"xfs", "filesystem", "payroll", "", 0}}};
    }

    /// Xen's store knows the disk: under this name, or (SUSE's kernels) under one four letters
    /// before.
    void attach_to_xen(const std::string& name, unsigned n, bool shifted) {
        const unsigned number = shifted ? (8U << 8) + 16 * (n + 12) : (202U << 8) + 16 * n;
        job.machine.sysfs.put("/sys/block/" + name + "/device/nodename",
                              fmt::format("device/vbd/{}\n", number));
        if (shifted) shifted_.insert(name);
    }

    /// What udev made: right ones, as Amazon's rule does, and any others.
    void add_links() {
        for (const auto& [name, disk] : job.machine.disks) {
            if (chance(0.9) && !name.starts_with("xvd")) continue;
            if (chance(0.8)) continue;
            const auto link = "sd" + (chance(0.6) && name.starts_with("xvd")
                                          ? name.substr(3)
                                          : std::string(1, static_cast<char>(number('b', 'm'))));
            if (!job.machine.disks.contains(link)) job.machine.links["/dev/" + link] = name;
        }
    }

    void add_group() {
        std::vector<std::string> free;
        for (const auto& [name, disk] : job.machine.disks) {
            if (disk.pv.empty() && chance(0.5)) free.push_back(name);
        }
        if (free.empty()) return;
        if (chance(0.2)) {
            job.lvm.label(free[0], chance(0.4)); // a label without a group
            job.machine.disks.at(free[0]).content.lvm_empty = chance(0.7);
            return;
        }
        std::vector<std::string> tags;
        if (chance(0.8)) tags.emplace_back("muster");
        if (chance(0.8)) tags.push_back("muster.instance=" + pick({"i-0abc", "i-0abc", "i-0def"}));
        if (chance(0.1)) tags.push_back("muster.wipe=" + pick({"i-0abc", "i-0def"}));
        auto& group = job.lvm.make_group(pick({"muster", "muster", "data"}), tags, free);
        if (chance(0.2)) group.pvs.emplace_back("gone");
        if (chance(0.6)) {
            group.volumes.push_back({.name = pick({"scratch", "scratch", "other"}),
                                     .uuid = "u",
                                     .extents = 10,
                                     .content = any_content()});
            if (chance(0.3)) group.volumes[0].tags.emplace_back(unfinished_tag);
            if (chance(0.5)) {
                group.volumes[0].minor = static_cast<unsigned>(job.machine.groups.size());
                // Device-mapper then has its disks for itself.
                for (const auto& name : free)
                    job.machine.disks.at(name).claimed = false;
            }
        }
        if (chance(0.3)) add_owners_volumes(group);
        if (chance(0.1)) group.exported = true;
        if (chance(0.15)) {
            for (const auto& name : free)
                job.machine.disks.at(name).damaged = chance(0.7);
        }
    }

    /// A snapshot of the first volume, with LVM's layers beneath both, and one on the disks.
    void add_owners_volumes(FakeMachine::Group& group) {
        const auto add = [&](FakeMachine::Volume volume) {
            volume.minor = next_minor_++;
            group.volumes.push_back(std::move(volume));
        };
        const bool snapshot = !group.volumes.empty() && group.volumes[0].minor;
        if (snapshot) {
            add({.name = "scratch-real", .uuid = "u-real", .hidden = true});
            group.volumes[0].over = {"scratch-real"};
        }
        add({.name = "snap", .uuid = "s", .extents = 1, .content = any_content()});
        if (snapshot) group.volumes.back().over = {"scratch-real"};
        if (chance(0.3)) group.volumes.back().mounts = {"/snap"};
    }

    /// A mapping that is often right, and lies at random.
    void add_mapping() {
        for (const auto& [name, disk] : job.machine.disks) {
            if (name.starts_with("nvme") ? chance(0.8) : chance(0.2)) continue;
            auto as = name;
            if (as.starts_with("xvd") && chance(0.7)) as = "sd" + as.substr(3);
            if (chance(0.1)) as += "1";
            if (!job.machine.links.empty() && chance(0.15))
                as = job.machine.links.begin()->first.substr(5);
            const int entries = chance(0.15) ? 2 : 1;
            for (int i = 0; i < entries; ++i) {
                const auto kind =
                    pick({"ephemeral", "ephemeral", "ephemeral", "ebs", "ami", "root"});
                const auto key =
                    kind == "ami" || kind == "root"
                        ? kind
                        : kind + (chance(0.02) ? "0" : "") + std::to_string(job.mapping.size());
                job.mapping[key] = as;
            }
        }
    }

    void another_disk_at(int step) {
        const auto all = std::vector(permitted.begin(), permitted.end());
        if (all.empty()) return;
        const auto name =
            all[static_cast<std::size_t>(number(0, static_cast<int>(all.size()) - 1))];
        job.before_step = [this, name, step](const std::string&) mutable {
            if (step-- != 0) return;
            exchanged = name;
            writes_before = job.machine.writes.size();
            job.machine.sysfs.put("/sys/block/" + name + "/device/serial", "another\n");
        };
    }

    /// The rule, said a second time and in other words than the code has.
    bool may_be_written(const std::string& name) {
        const auto& disk = job.machine.disks.at(name);
        if (!is_ephemeral(name) || is_used(name) || spoilt_.contains(name) || disk.spec.read_only) {
            return false;
        }
        const bool anything_goes = job.layout.on_foreign_data == ForeignData::wipe;
        const bool nothing_on_it = disk.content.signatures.empty()
                                       ? disk.content.zeroed || disk.content.lvm_remains
                                       : disk.content.lvm_empty;
        for (const auto& opener : disk.openers) {
            const bool ours = std::ranges::any_of(job.machine.groups, [&](const auto& group) {
                return group.uuid == disk.group && group.name == "muster";
            });
            if ((opener.writes || !nothing_on_it) && !ours) return false;
        }
        for (const auto& group : job.machine.groups) {
            if (group.uuid == disk.group) return may_group_be_written(group, disk);
        }
        if (!disk.partitions.empty()) return anything_goes;
        // A label that no group uses, or that says so and is wrong.
        if (!disk.pv.empty()) return !disk.in_use || disk.content.lvm_empty;
        if (disk.content.signatures.empty()) {
            return disk.content.zeroed || disk.content.lvm_remains || anything_goes;
        }
        return anything_goes || (job.layout.on_foreign_data == ForeignData::wipe_preformatted &&
                                 disk.content.preformatted);
    }

    bool may_group_be_written(const FakeMachine::Group& group,
                              const FakeMachine::FakeDisk& disk) const {
        const auto has = [&](const char* tag) {
            return std::ranges::find(group.tags, tag) != group.tags.end();
        };
        const auto missing = std::ranges::find(group.pvs, "gone") != group.pvs.end();
        if (has("muster")) { // never wiped: finished, or given up for a disk that is missing
            return group.name == "muster" && has("muster.instance=i-0abc") && !group.exported &&
                   disk.partitions.empty() && !lies_on_others(group) &&
                   (!missing || (job.layout.on_partial == PartialGroup::rebuild &&
                                 owners_volumes(group).empty()));
        }
        const bool active = std::ranges::any_of(
            group.volumes, [](const auto& one) { return one.minor.has_value(); });
        return job.layout.on_foreign_data == ForeignData::wipe && !active &&
               ((!missing && !lies_on_others(group)) || has("muster.wipe=i-0abc"));
    }

    /// On disks that are surely not ephemeral.
    bool lies_on_others(const FakeMachine::Group& group) const {
        return std::ranges::any_of(job.machine.disks_of(group), [&](const std::string& name) {
            const auto& model = job.machine.disks.at(name).spec.model;
            return model.empty() ? !mapped_as_ephemeral(name)
                                 : model != "Amazon EC2 NVMe Instance Storage";
        });
    }

    static bool is_ours(const FakeMachine::Group& group) {
        return group.name == "muster" &&
               std::ranges::find(group.tags, "muster") != group.tags.end() &&
               std::ranges::find(group.tags, "muster.instance=i-0abc") != group.tags.end();
    }

    bool is_ephemeral(const std::string& name) const {
        const auto& model = job.machine.disks.at(name).spec.model;
        return model == "Amazon EC2 NVMe Instance Storage" ||
               (model.empty() && mapped_as_ephemeral(name));
    }

    bool is_used(const std::string& name) const {
        const auto& disk = job.machine.disks.at(name);
        return !disk.holders.empty() || disk.claimed || swapped_.contains(name) ||
               std::ranges::any_of(job.machine.other_mounts, [&](const auto& mount) {
                   return mount.first == disk.spec.number;
               });
    }

    /// What a new machine may lose, in other words than the code has, too. Whether the disk can be
    /// written to, and what the configuration permits, is of no matter.
    bool may_hold_data(const std::string& name) const {
        const auto& disk = job.machine.disks.at(name);
        if (is_used(name) || !disk.partitions.empty()) return true;
        for (const auto& group : job.machine.groups) {
            if (group.uuid != disk.group) continue;
            return !is_ours(group) || std::ranges::any_of(group.volumes, [](const auto& volume) {
                return std::ranges::find(volume.tags, "muster.unfinished") == volume.tags.end();
            });
        }
        if (!disk.pv.empty()) return disk.in_use && !disk.content.lvm_empty;
        if (!disk.content.signatures.empty()) return true;
        return !disk.content.zeroed && !disk.content.lvm_remains;
    }

    bool mapped_as_ephemeral(const std::string& name) const {
        int claims = 0;
        bool ephemeral = false;
        for (const auto& [key, device] : job.mapping) {
            // "xvdb" in the mapping never means /dev/sdb, but "sdb" may mean /dev/xvdb.
            std::set<std::string> nodes{device};
            if (device.starts_with("sd")) nodes.insert("xvd" + device.substr(2));
            bool linked = false;
            int others = 0;
            for (const auto& [link, target] : job.machine.links) {
                if (!nodes.contains(link.substr(5))) continue;
                linked = linked || target == name;
                if (target != name) ++others;
            }
            if (!nodes.contains(name) && !linked) continue;
            ++claims;
            ephemeral = is_number_below(key, store_) && nodes.contains(name) && others == 0;
        }
        // One whose model can't be read is known to nobody.
        const bool with_model = std::ranges::any_of(job.machine.disks, [&](const auto& disk) {
            return disk.second.spec.model == "Amazon EC2 NVMe Instance Storage" &&
                   !spoilt_.contains(disk.first);
        });
        return claims == 1 && ephemeral && !with_model && !shifted_.contains(name) &&
               job.machine.disks.at(name).spec.size != too_large;
    }

    /// "ephemeral0" to "ephemeral3" of four.
    static bool is_number_below(const std::string& key, int count) {
        for (int n = 0; n < count; ++n) {
            if (key == fmt::format("ephemeral{}", n)) return true;
        }
        return false;
    }

    std::mt19937_64 random_;
    double xen_ = 0; ///< of the disks have no model
    double spice_;   ///< every other machine is nearly as it should be, so that something is made
    int store_ = 0;
    std::set<std::string> shifted_;
    bool held_ = false; ///< some disk is, by a program
    std::set<std::string> swapped_;
    std::set<std::string> spoilt_;
    unsigned next_minor_ = 100;
};

} // namespace muster::lvm
