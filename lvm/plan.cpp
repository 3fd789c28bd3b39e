#include "lvm/plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/judge.h"
#include "lvm/names.h"
#include "lvm/openers.h"
#include "lvm/plan_volumes.h"
#include "lvm/room.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

class Planner {
  public:
    explicit Planner(const Situation& situation) : now_(situation) {
        plan_.group = now_.layout.volume_group;
        plan_.notes = now_.notes;
        plan_.lvm = now_.lvm_tool;
        plan_.instance_id = now_.instance_id;
    }

    Plan make() {
        const auto* group = our_group();
        judge_all(group);
        check_names(now_, group, {.ours = members_, .free = free_}, plan_);
        if (group == nullptr) {
            plan_new_group();
        } else if (is_partial(*group)) {
            plan_partial_group(*group);
        } else {
            plan_whole_group(*group);
        }
        if (!plan_.refusals.empty()) plan_.steps.clear();
        return std::move(plan_);
    }

  private:
    void refuse(const std::string& subject, std::string_view reason, std::string message) {
        plan_.refusals.push_back({subject, std::string(reason), std::move(message)});
    }

    void note(std::string text) { plan_.notes.push_back(std::move(text)); }

    /// A group may be there twice: a disk of one that was given up (on_partial "rebuild") comes
    /// back. Then the one that is whole is the one.
    const VolumeGroup* our_group() {
        std::vector<const VolumeGroup*> found;
        for (const auto& group : now_.lvm.groups) {
            if (is_ours(now_, group)) found.push_back(&group);
        }
        if (found.size() > 1) std::erase_if(found, [](const auto* one) { return one->partial(); });
        if (found.size() == 1) return found.front();
        const bool any = std::ranges::any_of(
            now_.lvm.groups, [&](const VolumeGroup& group) { return is_ours(now_, group); });
        if (any) {
            refuse(plan_.group, "ephemeral-foreign-data",
                   fmt::format("several volume groups are called {} and tagged as this instance's, "
                               "and which of them is the one can't be told; remove all but one",
                               plan_.group));
        }
        return nullptr;
    }

    void judge_all(const VolumeGroup* group) {
        const bool mounted = std::ranges::any_of(
            now_.active, [](const auto& node) { return !node.second.mounts.empty(); });
        plan_.without_data =
            !mounted && std::ranges::all_of(now_.candidates, [&](const Candidate& candidate) {
                return is_without_data(now_, candidate, group);
            });
        for (const auto& candidate : now_.candidates) {
            auto judgement = judge(now_, candidate, group);
            if (!judgement) {
                plan_.refusals.push_back(std::move(judgement.error()));
                continue;
            }
            switch (judgement->standing) {
            case Standing::ours: members_.push_back(&candidate); break;
            case Standing::blank: free_.push_back(&candidate); break;
            case Standing::wipe:
                free_.push_back(&candidate);
                to_wipe_.push_back({candidate.disk, candidate.content, std::move(judgement->why)});
                break;
            }
        }
    }

    /// LVM is shown our disks alone, so it can't see that somebody else has the name.
    void refuse_name_taken() {
        for (const auto& [node, name] : now_.elsewhere) {
            if (name != plan_.group) continue;
            refuse(plan_.group, "ephemeral-foreign-data",
                   fmt::format("a volume group {} exists already, on {}, which is not ephemeral; "
                               "choose another ephemeral.volume_group",
                               name, node));
        }
        if (now_.group_folder && now_.active.empty()) {
            refuse(plan_.group, "assembly-failed",
                   fmt::format("/dev/{0} is there, and LVM makes no group of that name then: "
                               "something else has the name, or it was left over; `rm -r /dev/{0}` "
                               "removes it",
                               plan_.group));
        }
    }

    void use(const std::vector<const Candidate*>& candidates) {
        for (const auto* candidate : candidates) {
            plan_.disks.push_back(candidate->disk);
            plan_.devices.push_back(candidate->disk.node);
            plan_.contents.push_back(candidate->content);
        }
    }

    /// An exclusive open does not see programs that opened the disk without O_EXCL.
    void refuse_open() {
        for (const auto* candidate : free_) {
            if (candidate->openers.empty()) continue;
            const auto& disk = candidate->disk;
            refuse(
                disk.name, "ephemeral-foreign-data",
                fmt::format("{} {}; muster did not do that and leaves it alone: end the program, "
                            "or take a new instance",
                            disk.node, describe(candidate->openers)));
        }
    }

    void plan_new_group() {
        if (free_.empty()) return;
        refuse_name_taken();
        refuse_open();
        mark_groups_to_wipe();
        for (auto& wipe : to_wipe_)
            plan_.steps.emplace_back(std::move(wipe));
        use(free_);
        note_uneven_sizes();
        plan_.steps.emplace_back(CreateGroup{plan_.devices});
        plan_volumes(now_, nullptr, plan_);
    }

    /// Where a group is on one disk, nothing is left of it in between.
    void mark_groups_to_wipe() {
        const auto tag = wipe_tag(plan_.instance_id);
        for (const auto& group : now_.lvm.groups) {
            if (group.physical.size() < 2 || group.has_tag(owner_tag) || group.has_tag(tag))
                continue;
            MarkGroup mark{.group = group.name};
            for (const auto& wipe : to_wipe_) {
                if (has_disk(group, wipe.disk)) mark.devices.push_back(wipe.disk.node);
            }
            if (!mark.devices.empty()) plan_.steps.emplace_back(std::move(mark));
        }
    }

    [[nodiscard]] bool is_partial(const VolumeGroup& group) const {
        return group.partial() || members_.size() != group.physical.size();
    }

    void plan_partial_group(const VolumeGroup& group) {
        // All its disks are here, and why one of them can't be used is said already: it is not
        // missing, and a new instance would lose what is on it.
        if (!group.partial() && !plan_.refusals.empty()) return;
        const auto what =
            fmt::format("the volume group {} has {} disks, of which {} are here and usable",
                        group.name, group.physical.size(), members_.size());
        const auto missing = std::ranges::count_if(group.physical, &PhysicalVolume::missing);
        const bool only_missing =
            members_.size() + static_cast<std::size_t>(missing) == group.physical.size();
        // LVM is not shown the disks that are not ephemeral: one of them may be what it misses,
        // since somebody has extended the group, and then its data are not ours to give up.
        const auto extended = std::ranges::find(now_.elsewhere, group.name, &GroupElsewhere::name);
        if (extended != now_.elsewhere.end()) {
            refuse(group.name, "ephemeral-foreign-data",
                   fmt::format("{}; {} belongs to it, too, and is not ephemeral: somebody has "
                               "extended the group, and it is left as it is",
                               what, extended->node));
            return;
        }
        const bool rebuilds = now_.layout.on_partial == PartialGroup::rebuild && !now_.may_be_late;
        // Before what can't be told of other disks: a new machine would lose his volume, too.
        if (const auto* owners = owners_volume(group); rebuilds && owners != nullptr) {
            refuse(group.name, "ephemeral-foreign-data",
                   fmt::format("{}, and its volume {} is not muster's: the group is not given up "
                               "with it; `lvremove {}/{}` if nothing on it is needed",
                               what, owners->name, group.name, owners->name));
            return;
        }
        const auto* mounted = mounted_volume(group);
        if (!rebuilds || !only_missing || mounted != nullptr || group.exported ||
            now_.elsewhere_unknown) {
            plan_.wait_for_more = now_.may_be_late && missing > 0;
            refuse(group.name, "ephemeral-missing",
                   mounted != nullptr ? fmt::format("{}, and {} is mounted at {}", what,
                                                    mounted->node, mounted->mounts.front())
                                      : what);
            return;
        }
        RemoveGroup remove{.why = fmt::format("{} (ephemeral.on_partial is \"rebuild\")", what)};
        for (const auto* member : members_)
            remove.devices.push_back(member->disk.node);
        plan_.steps.emplace_back(std::move(remove));
        free_.insert(free_.end(), members_.begin(), members_.end());
        std::ranges::sort(free_, {}, [](const Candidate* one) { return one->disk.name; });
        plan_new_group();
    }

    [[nodiscard]] const ActiveVolume* mounted_volume(const VolumeGroup& group) const {
        for (const auto& [name, active] : now_.active) {
            if (!active.mounts.empty() && is_node_of(active, group)) return &active;
        }
        return nullptr;
    }

    /// One that muster did not make: it may lie on the disks that are here, whole.
    [[nodiscard]] const LogicalVolume* owners_volume(const VolumeGroup& group) const {
        const auto found = std::ranges::find_if(group.logical, [&](const LogicalVolume& volume) {
            return !is_made_by_us(volume) &&
                   std::ranges::find(now_.layout.volumes, volume.name, &VolumeLayout::name) ==
                       now_.layout.volumes.end();
        });
        return found == group.logical.end() ? nullptr : &*found;
    }

    /// Striping takes as much of each disk as the smallest has.
    void note_uneven_sizes() {
        const auto [least, most] = std::ranges::minmax(plan_.disks, {}, &Disk::size);
        const bool striped = std::ranges::any_of(now_.layout.volumes, [](const auto& volume) {
            return volume.layout == Layout::striped;
        });
        if (least.size == most.size || !striped) return;
        note(fmt::format("the disks differ in size ({} has {} bytes, {} has {}): a striped volume "
                         "uses only as much of each as the smallest has",
                         least.node, least.size, most.node, most.size));
    }

    void plan_whole_group(const VolumeGroup& group) {
        if (group.exported) {
            refuse(
                group.name, "ephemeral-foreign-data",
                fmt::format("the volume group {} is ours, but somebody has exported it (vgexport) "
                            "to take it elsewhere; vgimport it, or take a new instance",
                            group.name));
            return;
        }
        use(members_);
        plan_.group_uuid = group.uuid;
        for (const auto* spare : free_) {
            note(fmt::format("{} is not part of {}, which is whole: left as it is",
                             spare->disk.node, group.name));
        }
        check_room(now_, group, plan_);
        plan_volumes(now_, &group, plan_);
    }

    const Situation& now_;
    Plan plan_;
    std::vector<const Candidate*> members_; ///< disks of our group
    std::vector<const Candidate*> free_;    ///< blank, or may be wiped
    std::vector<WipeDisk> to_wipe_;         ///< those of the latter
};

} // namespace

Plan make_plan(const Situation& situation) {
    return Planner(situation).make();
}

} // namespace muster::lvm
