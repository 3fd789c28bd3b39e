#include "lvm/names.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/judge.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

class Names {
  public:
    Names(const Situation& situation, const JudgedDisks& disks, Plan& plan)
        : now_(situation), disks_(disks), plan_(plan) {}

    void check(const VolumeGroup* group) {
        for (const auto& [name, node] : now_.active) {
            if (group != nullptr && is_node_of(node, *group)) {
                if (is_wanted(name)) check_beneath(name, node);
            } else if (!is_of_renamed_group(node)) {
                refuse_stranger(name, node);
            }
        }
    }

  private:
    [[nodiscard]] bool is_wanted(const std::string& name) const {
        return std::ranges::any_of(now_.layout.volumes, [&](const VolumeLayout& volume) {
            return name == mapper_name(plan_.group, volume.name);
        });
    }

    /// Its disks are refused, and with better words.
    [[nodiscard]] bool is_of_renamed_group(const ActiveVolume& node) const {
        return std::ranges::any_of(now_.lvm.groups, [&](const VolumeGroup& group) {
            return group.name != plan_.group && is_tagged_ours(now_, group) &&
                   is_node_of(node, group);
        });
    }

    /// Ours by its uuid.
    void check_beneath(const std::string& name, const ActiveVolume& node) {
        if (node.disks.empty()) return refuse_bare(name, node);
        if (all_among(node.disks, disks_.ours)) return;
        refuse(name, "ephemeral-foreign-data",
               fmt::format("our volume {} lies on {}, and not on the disks of {} alone: it is left "
                           "as it is",
                           name, fmt::join(node.disks, ", "), plan_.group));
    }

    void refuse_stranger(const std::string& name, const ActiveVolume& node) {
        if (node.disks.empty() && (node.mounts.empty() || !mapper_group(node.uuid).empty())) {
            return refuse_bare(name, node);
        }
        // Its group is gone from under it: another program has zeroed the disks.
        if (node.mounts.empty() && all_among(node.disks, disks_.free))
            return refuse_stale(name, node);
        refuse(name, "ephemeral-foreign-data",
               fmt::format("a device-mapper node {} exists already, on {}, and is not ours; choose "
                           "another ephemeral.volume_group",
                           name, disks_of(node)));
    }

    /// The kernel takes a disk from under its node when its controller is reset or it is detached.
    void refuse_bare(const std::string& name, const ActiveVolume& node) {
        if (node.mounts.empty()) return refuse_stale(name, node);
        refuse(name, "ephemeral-io-error",
               fmt::format("{0} is mounted at {1}, and the disks beneath it are gone, as after a "
                           "reset of their controller: every access fails; take a new instance, or "
                           "stop what uses {1}, then `umount {1}` and `dmsetup remove {0}`",
                           name, node.mounts.front()));
    }

    void refuse_stale(const std::string& name, const ActiveVolume& node) {
        refuse(name, "assembly-failed",
               fmt::format("a device-mapper node {0} exists already, on {1}, and {2}; `dmsetup "
                           "remove {0}` removes it",
                           name, disks_of(node),
                           node.disks.empty() ? "the disks beneath it are gone"
                                              : "no volume group has it any more"));
    }

    static std::string disks_of(const ActiveVolume& node) {
        if (node.disks.empty()) return "nothing";
        return fmt::format("{}", fmt::join(node.disks, ", "));
    }

    static bool all_among(const std::vector<std::string>& disks,
                          const std::vector<const Candidate*>& candidates) {
        return std::ranges::all_of(disks, [&](const std::string& disk) {
            return std::ranges::any_of(
                candidates, [&](const Candidate* one) { return one->disk.name == disk; });
        });
    }

    void refuse(const std::string& subject, std::string_view reason, std::string message) {
        plan_.refusals.push_back({subject, std::string(reason), std::move(message)});
    }

    const Situation& now_;
    const JudgedDisks& disks_;
    Plan& plan_;
};

} // namespace

void check_names(const Situation& situation, const VolumeGroup* group, const JudgedDisks& disks,
                 Plan& plan) {
    Names(situation, disks, plan).check(group);
}

} // namespace muster::lvm
