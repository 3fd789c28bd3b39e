// LVM and mkfs on a fake machine: they do to its disks what the real ones do, and refuse as those
// do (lvm2 2.03.16; its JSON to the letter, see tests/fixtures/lvm).
#pragma once

#include <charconv>
#include <fmt/ranges.h>
#include <set>

#include "agent/sys/command.h"
#include "tests/fakes/fake_machine.h"

namespace muster {

class FakeLvm : public CommandRunner {
  public:
    explicit FakeLvm(FakeMachine& machine) : machine_(machine) {
        for (const char* tool : {"lvm", "mkfs.xfs", "mkfs.ext4"})
            machine.sysfs.put(std::string("/usr/sbin/") + tool, "");
    }

    std::vector<Command> ran;
    std::string version = "2.03.16";
    Instant locked_until{}; ///< another command has LVM's own lock

    [[nodiscard]] Result<CommandOutput> run(const Command& command, Deadline deadline) override {
        ran.push_back(command);
        const auto& argv = command.argv;
        const bool remarks_apart =
            std::ranges::find(command.environment, "LVM_OUT_FD=2") != command.environment.end();
        const bool lvm = argv[0] == "/usr/sbin/lvm";
        fault_ = machine_.enter(lvm ? argv[1] : argv[0]);
        if (fault_ == Fault::error) return said(5, "  fake: it failed.\n");
        if (fault_ == Fault::lie) return said(0);
        if (fault_ == Fault::stuck) {
            machine_.clock.sleep_until(deadline.at);
            return fail(Errc::stuck, "fake: it does not end");
        }
        if (lvm && argv[1] != "version" && machine_.clock.now() < locked_until) {
            return said(5, "  /run/lock/lvm/V_muster: flock failed: Resource temporarily "
                           "unavailable\n  Can't get lock for muster.\n");
        }
        auto output = lvm && argv[1] == "version"            ? say_version()
                      : lvm && is_old() && has_devices(argv) ? unknown_option(argv[1])
                      : lvm ? run_lvm(parse(argv, 2), argv[1], remarks_apart)
                            : make_filesystem(argv);
        if (fault_ == Fault::garbage) output.out = "\x01\xff garbage {";
        if (fault_ == Fault::half) output.out.resize(output.out.size() / 2);
        return output;
    }

    /// A group that is there already, for a test's starting point.
    FakeMachine::Group& make_group(const std::string& name, std::vector<std::string> tags,
                                   const std::vector<std::string>& on) {
        FakeMachine::Group group{.name = name, .uuid = uuid(), .tags = std::move(tags)};
        for (const auto& disk : on) {
            label(disk);
            group.pvs.push_back(machine_.disks.at(disk).pv);
            join(disk, group.uuid);
        }
        machine_.groups.push_back(std::move(group));
        return machine_.groups.back();
    }
    void label(const std::string& disk, bool in_use = false) {
        machine_.label(disk, uuid(), in_use);
    }

  private:
    struct Words {
        std::map<std::string, std::string> options;
        std::vector<std::string> tags;
        std::set<std::string> flags;
        std::vector<std::string> rest;
        std::vector<std::string> devices; ///< names
    };

    static CommandOutput said(int status, std::string err = "", std::string out = "") {
        return {.exit_status = status, .out = std::move(out), .err = std::move(err)};
    }

    [[nodiscard]] CommandOutput say_version() const {
        return said(0, "", "  LVM version:     " + version + "(2) (2022-05-18)\n");
    }
    [[nodiscard]] bool is_old() const { return version < "2.03.12"; }
    static bool has_devices(const std::vector<std::string>& argv) {
        return std::ranges::find(argv, "--devices") != argv.end();
    }
    static CommandOutput unknown_option(const std::string& verb) {
        return said(3, verb +
                           ": unrecognized option '--devices'\n  Error during parsing of command "
                           "line.\n");
    }
    /// The disks that a filter lets through.
    static std::string filtered(std::string_view config) {
        std::string devices;
        constexpr std::string_view before = "\"a|^";
        const auto end = config.find(" global_filter");
        for (auto at = config.find(before); at < end; at = config.find(before, at + 1)) {
            const auto name = config.substr(at + before.size());
            devices += (devices.empty() ? "" : ",") + std::string(name.substr(0, name.find('$')));
        }
        return devices;
    }

    /// "nvme1n1" of "/dev/nvme1n1", and of "/dev/.muster/nvme1n1" where that node was made.
    [[nodiscard]] std::string disk_of(const std::string& node) const {
        const auto before = std::string(quiet_nodes) + "/";
        if (node.starts_with(before) && machine_.quiet.contains(node.substr(before.size())))
            return node.substr(before.size());
        return node.substr(5);
    }

    Words parse(const std::vector<std::string>& argv, std::size_t i) {
        Words words;
        for (; i < argv.size(); ++i) {
            const auto& word = argv[i];
            if (word == "--") {
                words.rest.assign(argv.begin() + static_cast<std::ptrdiff_t>(i) + 1, argv.end());
                break;
            }
            if (word == "--yes" || word == "--nosuffix" || word == "--ignoreactivationskip") {
                words.flags.insert(word);
            } else if (word == "--addtag" || word == "--deltag") {
                words.tags.push_back(argv.at(++i));
            } else {
                REQUIRE_THAT(word, Catch::StartsWith("-"));
                words.options[word] = argv.at(++i);
            }
        }
        if (is_old()) words.options["--devices"] = filtered(words.options.at("--config"));
        std::string_view devices = words.options["--devices"];
        REQUIRE_FALSE(devices.empty()); // or LVM would look at all there is
        while (!devices.empty()) {
            const auto one = devices.substr(0, devices.find(','));
            devices.remove_prefix(std::min(one.size() + 1, devices.size()));
            REQUIRE(one.starts_with("/dev/"));
            words.devices.push_back(disk_of(std::string(one)));
        }
        return words;
    }

    CommandOutput run_lvm(const Words& words, const std::string& verb, bool remarks_apart) {
        if (verb == "fullreport") {
            const auto remark = std::ranges::any_of(words.devices, [&](const std::string& name) {
                const auto found = machine_.disks.find(name);
                return found != machine_.disks.end() && found->second.damaged;
            });
            // To standard output, in the middle of what is printed there, where it is not led away.
            if (remark && !remarks_apart)
                return said(0, "", "{\"report\": [ Retrying metadata scan.");
            return said(0, remark ? "  Retrying metadata scan.\n" : "", report(words));
        }
        if (verb == "vgcreate") return create_group(words);
        if (verb == "lvcreate") return create_volume(words);
        if (verb == "vgremove") return remove_group(words);
        if (verb == "vgchange") return add_tag(words);
        if (verb == "pvremove") return remove_labels(words);
        if (verb == "lvremove") return remove_volume(words);
        if (verb == "lvchange" && words.options.contains("--activate")) return activate(words);
        if (verb == "lvchange") return remove_tag(words);
        FAIL("FakeLvm: " << verb);
        return {};
    }

    CommandOutput create_group(const Words& words) {
        CHECK(words.flags.empty());
        const auto& name = words.rest.at(0);
        for (auto* group : visible(words)) {
            if (group->name == name) {
                return said(5, "  A volume group called " + name + " already exists.\n");
            }
        }
        std::vector<std::string> names;
        for (std::size_t i = 1; i < words.rest.size(); ++i)
            names.push_back(disk_of(words.rest[i]));
        for (const auto& disk : names) {
            const auto found = machine_.disks.find(disk);
            if (found == machine_.disks.end()) {
                return said(5, "  No device found for /dev/" + disk + ".\n");
            }
            if (!found->second.group.empty()) {
                return said(5,
                            "  Physical volume '/dev/" + disk + "' is already in volume group.\n");
            }
            if (found->second.in_use) {
                return said(5, "  Cannot initialize a PV that is marked as in use.\n");
            }
            if (!found->second.partitions.empty() || machine_.is_busy(disk)) {
                return said(5, "  Can't open /dev/" + disk + " exclusively. Mounted filesystem?\n");
            }
            const auto& content = found->second.content;
            if (found->second.pv.empty() && !content.signatures.empty()) {
                return said(
                    5, fmt::format("WARNING: {} signature detected on /dev/{} at offset {}. "
                                   "Wipe it? [y/n]: [n]\n  Aborted wiping of {}.\n  1 existing "
                                   "signature left on the device.\n",
                                   content.signatures[0].type, disk, content.signatures[0].offset,
                                   content.signatures[0].type));
            }
        }
        const auto whole = names;
        if (fault_ == Fault::half) names.resize((names.size() + 1) / 2);
        for (const auto& disk : names) {
            if (!machine_.disks.at(disk).pv.empty()) continue;
            machine_.effect({disk}, "metadata area",
                            [&] { machine_.disks.at(disk).content = {.lvm_remains = true}; });
            machine_.effect({disk}, "label", [&] { label(disk); });
        }
        if (fault_ == Fault::half) return said(5, "  Killed half way.\n");
        for (const auto& disk : whole)
            machine_.effect({disk}, "in use", [&] { machine_.disks.at(disk).in_use = true; });
        machine_.effect(whole, "group", [&] {
            FakeMachine::Group group{.name = name, .uuid = uuid(), .tags = words.tags};
            for (const auto& disk : whole) {
                group.pvs.push_back(machine_.disks.at(disk).pv);
                join(disk, group.uuid);
            }
            machine_.groups.push_back(std::move(group));
        });
        return said(0);
    }

    void join(const std::string& name, const std::string& group) {
        auto& disk = machine_.disks.at(name);
        disk.group = group;
        disk.in_use = true;
        disk.content.lvm_empty = false;
    }

    /// The metadata areas are emptied one after the other, then the labels say "not in use".
    CommandOutput remove_group(const Words& words) {
        auto* group = find(words, words.rest.at(0));
        if (group == nullptr) return said(5, "  Volume group not found.\n");
        REQUIRE(words.flags.contains("--yes"));
        for (const auto& volume : group->volumes) {
            if (!volume.mounts.empty()) return said(5, "  contains a filesystem in use.\n");
        }
        const auto uuid = group->uuid;
        auto on = machine_.disks_of(*group);
        std::erase_if(on, [&](const std::string& disk) {
            return std::ranges::find(words.devices, disk) == words.devices.end();
        });
        for (auto& volume : group->volumes)
            machine_.effect({}, "deactivate", [&] { volume.minor.reset(); });
        if (fault_ == Fault::half) return said(5, "  Killed half way.\n");
        for (const auto& volume : group->volumes)
            leave_beneath(*group, volume);
        for (const auto& name : on) {
            machine_.effect({name}, "area emptied", [&] {
                machine_.disks.at(name).content.lvm_empty = true;
                if (name != on.back()) return; // the others still tell of the group
                for (const auto& disk : on)
                    machine_.disks.at(disk).group.clear();
                std::erase_if(machine_.groups, [&](const auto& one) { return one.uuid == uuid; });
            });
        }
        for (const auto& name : on)
            machine_.effect({name}, "not in use", [&] { machine_.disks.at(name).in_use = false; });
        return said(0);
    }

    CommandOutput remove_labels(const Words& words) {
        for (const auto& node : words.rest) {
            const auto name = disk_of(node);
            auto& disk = machine_.disks.at(name);
            if (!disk.group.empty() || disk.in_use) return said(5, "  is used by a VG.\n");
            if (disk.pv.empty()) return said(5, "  No PV found on device.\n");
            if (fault_ == Fault::half && &node == &words.rest.back())
                return said(5, "  Killed half way.\n");
            machine_.effect({name}, "label removed", [&] {
                disk.pv.clear();
                disk.content = {.lvm_remains = true};
            });
        }
        return said(0);
    }

    /// "GROUP/VOLUME"
    FakeMachine::Volume* find_volume(const Words& words, const std::string& both,
                                     FakeMachine::Group*& group) {
        const auto slash = both.find('/');
        REQUIRE(slash != std::string::npos);
        group = find(words, both.substr(0, slash));
        if (group == nullptr) return nullptr;
        const auto volume =
            std::ranges::find(group->volumes, both.substr(slash + 1), &FakeMachine::Volume::name);
        return volume == group->volumes.end() ? nullptr : &*volume;
    }

    /// What a volume carried lies there for the next one.
    void leave_beneath(const FakeMachine::Group& group, const FakeMachine::Volume& volume) {
        const auto on = machine_.disks_of(group);
        if (!on.empty() && !volume.content.signatures.empty())
            machine_.disks.at(on.front()).beneath = volume.content;
    }

    CommandOutput remove_volume(const Words& words) {
        FakeMachine::Group* group = nullptr;
        auto* volume = find_volume(words, words.rest.at(0), group);
        if (volume == nullptr) return said(5, "  Failed to find logical volume.\n");
        REQUIRE(words.flags.contains("--yes"));
        if (!volume->mounts.empty()) return said(5, "  contains a filesystem in use.\n");
        if (volume->minor) machine_.effect({}, "deactivate", [&] { volume->minor.reset(); });
        if (fault_ == Fault::half) return said(5, "  Killed half way.\n");
        machine_.effect(machine_.disks_of(*group), "volume removed", [&] {
            leave_beneath(*group, *volume);
            std::erase_if(group->volumes, [&](const auto& one) { return &one == volume; });
        });
        return said(0);
    }

    CommandOutput add_tag(const Words& words) {
        auto* group = find(words, words.rest.at(0));
        if (group == nullptr) return said(5, "  Volume group not found.\n");
        if (partial(*group, words)) return said(5, "  Cannot change VG while PVs are missing.\n");
        if (group->exported) return said(5, "  Volume group is exported\n");
        if (fault_ == Fault::half) return said(5, "  Killed half way.\n");
        machine_.effect(machine_.disks_of(*group), "tag", [&] {
            for (const auto& tag : words.tags)
                group->tags.push_back(tag);
        });
        return said(0);
    }

    CommandOutput remove_tag(const Words& words) {
        for (const auto& one : words.rest) {
            FakeMachine::Group* group = nullptr;
            auto* volume = find_volume(words, one, group);
            if (volume == nullptr) return said(5, "  Failed to find logical volume.\n");
            if (fault_ == Fault::half && &one == &words.rest.back())
                return said(5, "  Killed half way.\n");
            machine_.effect(machine_.disks_of(*group), "finished", [&] {
                for (const auto& tag : words.tags)
                    std::erase(volume->tags, tag);
            });
        }
        return said(0);
    }

    CommandOutput create_volume(const Words& words) {
        auto* group = find(words, words.rest.at(0));
        if (group == nullptr) return said(5, "  Volume group not found.\n");
        if (partial(*group, words)) return said(5, "  Cannot change VG while PVs are missing.\n");
        const auto& name = words.options.at("--name");
        if (std::ranges::find(group->volumes, name, &FakeMachine::Volume::name) !=
            group->volumes.end()) {
            return said(5, "  Logical Volume \"" + name + "\" already exists.\n");
        }
        const auto size = extents(words, *group);
        if (size == 0 || size > free_extents(*group)) {
            return said(5, "  Insufficient free space.\n");
        }
        const auto stripes =
            words.options.contains("--stripes") ? std::stoul(words.options.at("--stripes")) : 1;
        REQUIRE(stripes <= group->pvs.size());
        const auto on = machine_.disks_of(*group);
        machine_.effect(on, "volume", [&] {
            group->volumes.push_back({.name = name,
                                      .uuid = uuid(),
                                      .extents = size,
                                      .stripes = static_cast<unsigned>(stripes),
                                      .content = machine_.disks.at(on.front()).beneath,
                                      .tags = words.tags});
        });
        if (fault_ == Fault::half) return said(5, "  Failed to activate new LV.\n");
        machine_.effect({}, "activate", [&] { group->volumes.back().minor = free_minor(); });
        machine_.effect(on, "wipe", [&] { group->volumes.back().content = {.zeroed = true}; });
        return said(0);
    }

    /// A volume comes with the layers beneath it.
    CommandOutput activate(const Words& words) {
        for (const auto& one : words.rest) {
            FakeMachine::Group* group = nullptr;
            auto* volume = find_volume(words, one, group);
            if (volume == nullptr) return said(5, "  Failed to find logical volume.\n");
            if (partial(*group, words)) return said(5, "  Refusing activation of partial LV.\n");
            if (fault_ == Fault::half && &one == &words.rest.back())
                return said(5, "  Killed half way.\n");
            for (const auto& name : volume->over) {
                auto& layer = *std::ranges::find(group->volumes, name, &FakeMachine::Volume::name);
                activate(layer);
            }
            activate(*volume);
        }
        return said(0);
    }
    void activate(FakeMachine::Volume& volume) {
        if (volume.minor) return;
        machine_.effect({}, "activate", [&] { volume.minor = free_minor(); });
    }

    CommandOutput make_filesystem(const std::vector<std::string>& argv) {
        const bool xfs = argv[0].ends_with("xfs");
        CHECK(std::ranges::find(argv, xfs ? "-f" : "-F") == argv.end());
        auto* volume = machine_.active(argv.back());
        if (volume == nullptr) return said(1, argv.back() + ": No such file or directory\n");
        // mke2fs without a terminal asks nothing.
        if (xfs && !volume->content.signatures.empty()) {
            return said(1, argv.back() + " appears to contain an existing filesystem.\n");
        }
        std::vector<std::string> on;
        for (const auto& group : machine_.groups) {
            for (const auto& one : group.volumes) {
                if (&one == volume) on = machine_.disks_of(group);
            }
        }
        const std::string type = xfs ? "xfs" : "ext4";
        const std::uint64_t offset = xfs ? 0 : 1080;
        if (xfs) {
            machine_.effect(on, "mkfs begins", [&] {
                volume->content = {.signatures = {{type, "filesystem", "", "", offset}}};
                volume->mkfs_incomplete = true;
            });
        }
        if (fault_ == Fault::half) return said(1, "mkfs was cut short\n");
        machine_.effect(on, "mkfs", [&] {
            volume->content = {.signatures = {{type, "filesystem", "", "", offset}}};
            volume->mkfs_incomplete = false;
        });
        return said(0);
    }

    std::string report(const Words& words) const {
        std::string parts;
        const auto add = [&](const std::string& part) {
            parts += (parts.empty() ? "" : ",") + part;
        };
        for (const auto* group : visible(words)) {
            std::string pvs;
            for (const auto& pv : group->pvs)
                pvs += (pvs.empty() ? "" : ",\n") + row_of(pv, words);
            std::string lvs;
            std::string segs;
            for (const auto& lv : group->volumes) {
                if (lv.hidden) continue;
                const char* comma = lvs.empty() ? "" : ",\n";
                lvs += comma + fmt::format(R"({{"lv_name":"{}", "lv_uuid":"{}", "lv_size":"{}", )"
                                           R"("lv_active":"{}", "lv_tags":"{}"}})",
                                           lv.name, lv.uuid, lv.extents * extent,
                                           lv.minor ? "active" : "", fmt::join(lv.tags, ","));
                segs += comma +
                        fmt::format(R"({{"lv_name":"{}", "stripes":"{}"}})", lv.name, lv.stripes);
            }
            add(fmt::format(
                R"({{"vg": [{{"vg_name":"{}", "vg_uuid":"{}", "vg_tags":"{}", )"
                R"("vg_extent_size":"{}", "vg_free_count":"{}", "vg_exported":"{}"}}],)"
                R"("pv": [{}], "lv": [{}], "pvseg": [{{"pvseg_start":"0"}}], "seg": [{}]}})",
                group->name, group->uuid, fmt::join(group->tags, ","), extent, free_extents(*group),
                group->exported ? "exported" : "", pvs, lvs, segs));
        }
        const auto is_visible = [&](const std::string& uuid) {
            return std::ranges::any_of(visible(words),
                                       [&](const auto* group) { return group->uuid == uuid; });
        };
        std::string orphans;
        for (const auto& name : words.devices) {
            const auto found = machine_.disks.find(name);
            if (found == machine_.disks.end() || found->second.pv.empty()) continue;
            if (!found->second.group.empty() && is_visible(found->second.group)) continue;
            orphans += (orphans.empty() ? "" : ",\n") + row_of(found->second.pv, words);
        }
        if (!orphans.empty()) add(R"({"pv": [)" + orphans + R"(], "pvseg": []})");
        return R"({"report": [)" + parts + "]}";
    }

    /// A PV's row; missing where its disk is not among those looked at.
    std::string row_of(const std::string& pv, const Words& words) const {
        for (const auto& name : words.devices) {
            const auto found = machine_.disks.find(name);
            if (found == machine_.disks.end() || found->second.pv != pv) continue;
            const auto& disk = found->second;
            return fmt::format(R"({{"pv_name":"/dev/{}", "pv_uuid":"{}", "pv_major":"{}", )"
                               R"("pv_minor":"{}", "pv_missing":"", "pv_in_use":"{}", )"
                               R"("pv_pe_count":"{}", "pv_pe_alloc_count":"{}"}})",
                               name, pv, disk.spec.number.major, disk.spec.number.minor,
                               disk.in_use ? "used" : "", disk.group.empty() ? 0 : extents_of(name),
                               used_extents(disk.group, name));
        }
        return fmt::format(R"({{"pv_name":"[unknown]", "pv_uuid":"{}", "pv_major":"0", )"
                           R"("pv_minor":"0", "pv_missing":"missing", "pv_in_use":"used"}})",
                           pv);
    }

    /// The groups of which at least one disk is among the devices, with metadata that are whole.
    std::vector<FakeMachine::Group*> visible(const Words& words) const {
        std::vector<FakeMachine::Group*> result;
        for (auto& group : machine_.groups) {
            const auto on = machine_.disks_of(group);
            const bool seen = std::ranges::any_of(on, [&](const std::string& name) {
                return !machine_.disks.at(name).damaged &&
                       std::ranges::find(words.devices, name) != words.devices.end();
            });
            if (seen) result.push_back(&group);
        }
        return result;
    }
    FakeMachine::Group* find(const Words& words, const std::string& name) const {
        for (auto* group : visible(words)) {
            if (group->name == name) return group;
        }
        return nullptr;
    }
    bool partial(const FakeMachine::Group& group, const Words& words) const {
        return std::ranges::any_of(group.pvs, [&](const std::string& pv) {
            return row_of(pv, words).find("[unknown]") != std::string::npos;
        });
    }

    std::uint64_t extents_of(const std::string& disk) const {
        return machine_.disks.at(disk).spec.size / extent - 1;
    }
    /// Striped volumes take as much of each disk, linear ones of one after the other.
    std::uint64_t used_extents(const std::string& uuid, const std::string& disk) const {
        const auto group = std::ranges::find(machine_.groups, uuid, &FakeMachine::Group::uuid);
        if (uuid.empty() || group == machine_.groups.end()) return 0;
        std::map<std::string, std::uint64_t> used;
        const auto on = machine_.disks_of(*group);
        for (const auto& volume : group->volumes) {
            auto left = volume.extents;
            for (const auto& name : on) {
                const auto free = extents_of(name) - used[name];
                const auto part =
                    std::min({left, free, volume.stripes > 1 ? volume.extents / on.size() : left});
                used[name] += part;
                left -= part;
            }
        }
        return used[disk];
    }
    std::uint64_t all_extents(const FakeMachine::Group& group) const {
        std::uint64_t sum = 0;
        for (const auto& name : machine_.disks_of(group))
            sum += extents_of(name);
        return sum;
    }
    std::uint64_t free_extents(const FakeMachine::Group& group) const {
        auto left = all_extents(group);
        for (const auto& volume : group.volumes)
            left -= std::min(left, volume.extents);
        return left;
    }
    std::uint64_t extents(const Words& words, const FakeMachine::Group& group) const {
        if (words.options.contains("--size")) {
            const auto text = words.options.at("--size");
            REQUIRE(text.ends_with('b'));
            return (std::stoull(text) + extent - 1) / extent;
        }
        const auto text = words.options.at("--extents");
        const auto percent = std::stoull(text);
        if (text.ends_with("%FREE")) return free_extents(group) * percent / 100;
        REQUIRE(text.ends_with("%VG"));
        return all_extents(group) * percent / 100;
    }

    unsigned free_minor() const {
        std::set<unsigned> taken;
        for (const auto& group : machine_.groups) {
            for (const auto& volume : group.volumes) {
                if (volume.minor) taken.insert(*volume.minor);
            }
        }
        unsigned minor = 0;
        while (taken.contains(minor))
            ++minor;
        return minor;
    }
    /// In LVM's own form: device-mapper's uuids are cut by its length.
    std::string uuid() { return fmt::format("uuid00-0000-0000-0000-0000-0000-{:06}", ++uuids_); }

    static constexpr std::uint64_t extent = 4 << 20;
    FakeMachine& machine_;
    Fault fault_ = Fault::none;
    int uuids_ = 0;
};

} // namespace muster
