#include "lvm/plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/judge.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

class Planner {
  public:
    explicit Planner(const Situation& situation) : now_(situation) {
        plan_.group = now_.layout.volume_group;
        plan_.instance_id = now_.instance_id;
    }

    Plan make() {
        const auto* group = our_group();
        std::vector<const Candidate*> blank;
        std::vector<const Candidate*> members;
        for (const auto& candidate : now_.candidates) {
            auto standing = judge(now_, candidate, group);
            if (!standing) {
                plan_.refusals.push_back(std::move(standing.error()));
            } else {
                (*standing == Standing::blank ? blank : members).push_back(&candidate);
            }
        }
        refuse_names_in_use(members);
        if (group != nullptr) {
            plan_whole_group(*group, members, blank);
        } else if (!blank.empty()) {
            plan_new_group(blank);
        }
        plan_mount_points();
        if (!plan_.refusals.empty()) plan_.steps.clear();
        return std::move(plan_);
    }

  private:
    void refuse(const std::string& subject, std::string_view reason, std::string message) {
        plan_.refusals.push_back({subject, std::string(reason), std::move(message)});
    }

    const VolumeGroup* our_group() {
        const VolumeGroup* found = nullptr;
        for (const auto& group : now_.lvm.groups) {
            if (!is_ours(now_, group)) continue;
            if (found != nullptr) {
                refuse(group.name, "ephemeral-foreign-data",
                       fmt::format("two volume groups are called {} and tagged as this instance's; "
                                   "remove one of them",
                                   group.name));
            }
            found = &group;
        }
        return found;
    }

    /// Somebody else's volumes may have the names that ours would get: --devices hides their group
    /// from LVM, so only device-mapper can tell.
    void refuse_names_in_use(const std::vector<const Candidate*>& members) {
        for (const auto& [name, active] : now_.active) {
            const bool ours = std::ranges::all_of(active.disks, [&](const std::string& disk) {
                return std::ranges::any_of(
                    members, [&](const Candidate* member) { return member->disk.name == disk; });
            });
            if (ours && !active.disks.empty()) continue;
            refuse(name, "ephemeral-foreign-data",
                   fmt::format(
                       "a device-mapper node {} exists already, on {}, and is not ours; choose "
                       "another ephemeral.volume_group",
                       name, fmt::join(active.disks, ", ")));
        }
    }

    void use(const std::vector<const Candidate*>& candidates) {
        for (const auto* candidate : candidates) {
            plan_.disks.push_back(candidate->disk);
            plan_.devices.push_back(candidate->disk.node);
        }
    }

    static unsigned stripes(const VolumeLayout& volume, std::size_t disks) {
        return volume.layout == Layout::striped ? static_cast<unsigned>(disks) : 1;
    }

    static std::string size_argument(const VolumeLayout& volume) {
        if (const auto* percent = std::get_if<Percent>(&volume.size)) {
            return percent->value == 100 ? "100%FREE" : fmt::format("{}%VG", percent->value);
        }
        return fmt::format("{}b", std::get<std::uint64_t>(volume.size));
    }

    void plan_new_group(const std::vector<const Candidate*>& blank) {
        use(blank);
        plan_.steps.emplace_back(CreateGroup{plan_.devices});
        for (const auto& volume : now_.layout.volumes)
            plan_new_volume(volume);
    }

    void plan_new_volume(const VolumeLayout& volume) {
        const unsigned across = stripes(volume, plan_.devices.size());
        plan_.steps.emplace_back(CreateVolume{volume, size_argument(volume), across});
        if (volume.filesystem == Filesystem::none) return;
        plan_.steps.emplace_back(MakeFilesystem{volume, across});
        plan_.steps.emplace_back(MountVolume{volume});
    }

    void plan_whole_group(const VolumeGroup& group, const std::vector<const Candidate*>& members,
                          const std::vector<const Candidate*>& blank) {
        if (group.partial() || members.size() != group.physical.size()) {
            refuse(group.name, "ephemeral-missing",
                   fmt::format("the volume group {} has {} disks, of which {} are here and usable",
                               group.name, group.physical.size(), members.size()));
            return;
        }
        if (group.exported) {
            refuse(
                group.name, "ephemeral-foreign-data",
                fmt::format("the volume group {} is ours, but somebody has exported it (vgexport) "
                            "to take it elsewhere; vgimport it, or take a new instance",
                            group.name));
            return;
        }
        use(members);
        for (const auto* spare : blank) {
            plan_.notes.push_back(fmt::format("{} is blank and not part of {}: left as it is",
                                              spare->disk.node, group.name));
        }
        ActivateGroup activate;
        for (const auto& volume : now_.layout.volumes) {
            if (exists(group, volume) && active(volume) == nullptr) {
                activate.volumes.push_back(volume.name);
            }
        }
        if (!activate.volumes.empty()) plan_.steps.emplace_back(std::move(activate));
        for (const auto& volume : now_.layout.volumes) {
            if (exists(group, volume)) {
                plan_existing_volume(group, volume);
            } else {
                plan_new_volume(volume);
            }
        }
    }

    static bool exists(const VolumeGroup& group, const VolumeLayout& volume) {
        return std::ranges::find(group.logical, volume.name, &LogicalVolume::name) !=
               group.logical.end();
    }

    [[nodiscard]] const ActiveVolume* active(const VolumeLayout& volume) const {
        const auto found = now_.active.find(mapper_name(plan_.group, volume.name));
        return found == now_.active.end() ? nullptr : &found->second;
    }

    static bool made_for_filesystem(const LogicalVolume& volume) {
        return std::ranges::any_of(volume.tags, [](const std::string& tag) {
            return tag == filesystem_tag(Filesystem::xfs) ||
                   tag == filesystem_tag(Filesystem::ext4);
        });
    }

    void plan_existing_volume(const VolumeGroup& group, const VolumeLayout& volume) {
        if (volume.filesystem == Filesystem::none) return;
        const auto logical = std::ranges::find(group.logical, volume.name, &LogicalVolume::name);
        const bool maybe_raw = !made_for_filesystem(*logical);
        const auto* node = active(volume);
        if (node == nullptr) {
            plan_.steps.emplace_back(MakeFilesystem{.volume = volume,
                                                    .stripes = logical->stripes,
                                                    .look_first = true,
                                                    .maybe_raw = maybe_raw});
            plan_.steps.emplace_back(MountVolume{volume});
            return;
        }
        const auto need = filesystem_needed(node->content, volume, maybe_raw);
        if (!need) {
            refuse(volume.name, need.error().reason, need.error().message);
            return;
        }
        if (*need != FilesystemNeed::none) {
            plan_.steps.emplace_back(
                MakeFilesystem{.volume = volume,
                               .stripes = logical->stripes,
                               .over_unfinished = *need == FilesystemNeed::make_over_unfinished,
                               .maybe_raw = maybe_raw});
        }
        // Ours may be mounted there and out of sight, under a later mount of somebody else's.
        if (std::ranges::find(node->mounts, volume.mount) == node->mounts.end() ||
            now_.mounted_on.contains(volume.mount)) {
            plan_.steps.emplace_back(MountVolume{volume});
        }
    }

    void plan_mount_points() {
        for (const auto& step : plan_.steps) {
            const auto* mount = std::get_if<MountVolume>(&step);
            if (mount == nullptr) continue;
            const auto other = now_.mounted_on.find(mount->volume.mount);
            if (other == now_.mounted_on.end()) continue;
            refuse(
                mount->volume.mount, "mount-failed",
                fmt::format("{} is mounted at {} already; unmount it or choose another mount point",
                            other->second, mount->volume.mount));
        }
    }

    const Situation& now_;
    Plan plan_;
};

} // namespace

std::expected<FilesystemNeed, Refusal>
filesystem_needed(const DiskContent& content, const VolumeLayout& volume, bool maybe_raw) {
    const auto wanted = to_string(volume.filesystem);
    if (content.signatures.empty() && maybe_raw) {
        return std::unexpected(Refusal{
            volume.name, "mount-failed",
            fmt::format("the volume {} was made to be used without a filesystem and may hold data, "
                        "the configuration now wants {}; it is left as it is: lvremove it if "
                        "nothing on it is needed",
                        volume.name, wanted)});
    }
    if (content.signatures.empty()) return FilesystemNeed::make;
    const auto& found = content.signatures.front();
    if (content.signatures.size() == 1 && found.type == wanted) {
        return content.unfinished ? FilesystemNeed::make_over_unfinished : FilesystemNeed::none;
    }
    return std::unexpected(Refusal{
        volume.name, "mount-failed",
        fmt::format("the volume {} carries {}, the configuration wants {}; it is left as it is",
                    volume.name, describe(found), wanted)});
}

Plan make_plan(const Situation& situation) {
    return Planner(situation).make();
}

} // namespace muster::lvm
