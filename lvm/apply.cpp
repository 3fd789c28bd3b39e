#include "lvm/apply.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "agent/sys/side_by_side.h"
#include "lvm/active.h"
#include "lvm/filesystem.h"
#include "lvm/recheck.h"
#include "lvm/tool.h"
#include "lvm/wipe.h"

namespace muster::lvm {
namespace {

using Done = std::expected<void, Failure>;

bool is_of_lvm(const Step& step) {
    return std::holds_alternative<CreateGroup>(step) ||
           std::holds_alternative<CreateVolume>(step) ||
           std::holds_alternative<FinishVolumes>(step) ||
           std::holds_alternative<RemoveVolume>(step) || std::holds_alternative<RemoveGroup>(step);
}

class Applier {
  public:
    Applier(const Machine& machine, const Plan& plan, LvmTool lvm, Deadline deadline)
        : machine_(machine), plan_(plan), lvm_(std::move(lvm)), deadline_(deadline) {}

    Done operator()(const MarkGroup& step) {
        if (auto still = recheck().before(step); !still) return still;
        const auto command =
            mark_group(lvm_, step.group, step.devices, wipe_tag(plan_.instance_id));
        if (auto marked = must_run(machine_, command, deadline_); !marked) return marked;
        return keep_what_is_left(step.devices);
    }

    Done operator()(WipeDisk step) {
        if (auto still = recheck().before(step); !still) return still;
        const auto marked = left_.find(step.disk.node);
        if (marked != left_.end()) step.content.ends = marked->second.ends;
        auto left = wipe(machine_, step, recheck().written(), deadline_);
        if (!left) return std::unexpected(left.error());
        left_[step.disk.node] = std::move(*left);
        return {};
    }

    Done operator()(const RemoveGroup& step) {
        if (auto still = recheck().before(step); !still) return still;
        const auto command = remove_group(lvm_, plan_.group, step.devices);
        if (auto removed = must_run(machine_, command, deadline_); !removed) return removed;
        const auto active = read_active(machine_, plan_.group);
        if (!active) return std::unexpected(active.error());
        if (active->empty()) return drop_labels(step.devices);
        return std::unexpected(
            Failure{"assembly-failed", fmt::format("vgremove ended well, but device-mapper still "
                                                   "has {}",
                                                   active->begin()->first)});
    }

    Done operator()(const CreateGroup& step) const {
        if (auto still = recheck().before(step); !still) return still;
        const auto command =
            create_group(lvm_, plan_.group, step.devices,
                         {std::string(owner_tag), instance_tag(plan_.instance_id)});
        if (auto made = must_run(machine_, command, deadline_); !made) return blame(made.error());
        for (auto& member : side_by_side(machine_.clock, "look", plan_.disks,
                                         [&](const Disk& disk) { return is_member(disk); })) {
            if (!member) return std::move(member);
        }
        return {};
    }

    Done operator()(const CreateVolume& step) const {
        if (auto same = recheck().same_disks(); !same) return same;
        const auto command =
            create_volume(lvm_, plan_.group, plan_.devices, step.volume, step.size, step.stripes);
        if (auto made = must_run(machine_, command, deadline_); !made) return made;
        const auto node = find_volume(machine_, plan_, step.volume.name);
        if (!node) return std::unexpected(node.error());
        if (step.volume.filesystem != Filesystem::none) return {}; // looked at before mkfs
        return check_empty(machine_, node->node, deadline_);
    }

    Done operator()(const RemoveVolume& step) const {
        if (auto same = recheck().same_disks(); !same) return same;
        const auto command = remove_volume(lvm_, plan_.group, plan_.devices, step.volume);
        if (auto removed = must_run(machine_, command, deadline_); !removed) return removed;
        const auto name = mapper_name(plan_.group, step.volume);
        const auto active = find_active(machine_, name);
        if (!active) return std::unexpected(active.error());
        if (!*active) return {};
        return std::unexpected(
            Failure{"assembly-failed",
                    fmt::format("lvremove ended well, but device-mapper still has {}", name)});
    }

    Done operator()(const ActivateGroup& step) const {
        const auto command = activate_volumes(lvm_, plan_.group, plan_.devices, step.volumes);
        if (auto made = must_run(machine_, command, deadline_); !made) return made;
        for (const auto& volume : step.volumes) {
            if (auto found = there(volume); !found) return found;
        }
        return {};
    }

    Done operator()(const MakeFilesystem& step) const {
        if (auto same = recheck().same_disks(); !same) return same;
        return make(machine_, plan_, step, deadline_);
    }

    /// The tag is nowhere but in LVM's metadata, so LVM itself is asked: a new process, which reads
    /// the disks. A volume that seems finished and is not would lose its data at the next boot.
    Done operator()(const FinishVolumes& step) const {
        if (auto same = recheck().same_disks(); !same) return same;
        const auto command = finish_volumes(lvm_, plan_.group, plan_.devices, step.volumes);
        if (auto done = must_run(machine_, command, deadline_); !done) return done;
        const auto text = ask(machine_, read_report(lvm_, plan_.devices), deadline_);
        if (!text) return std::unexpected(text.error());
        const auto report = parse_report(*text);
        if (!report) return std::unexpected(Failure{"assembly-failed", report.error().message});
        for (const auto& volume : step.volumes) {
            if (!is_finished(*report, volume)) {
                return std::unexpected(Failure{
                    "assembly-failed",
                    fmt::format("lvchange ended well, but {} is not marked as finished", volume)});
            }
        }
        return {};
    }

    Done operator()(const CheckFilesystem& step) const {
        return check(machine_, plan_, step, deadline_);
    }

    Done operator()(const MountVolume& step) const {
        return mount(machine_, plan_, step, deadline_);
    }

    /// The step is taken: what comes later can't say that nothing was written.
    void taken(const Step& step) { wrote_ = wrote_ || writes(step); }

  private:
    static bool writes(const Step& step) {
        return std::holds_alternative<WipeDisk>(step) || is_of_lvm(step) ||
               std::holds_alternative<MarkGroup>(step) ||
               std::holds_alternative<MakeFilesystem>(step);
    }

    [[nodiscard]] Recheck recheck() const { return {machine_, plan_, left_, deadline_, !wrote_}; }

    [[nodiscard]] bool is_finished(const Report& report, const std::string& volume) const {
        for (const auto& group : report.groups) {
            if (group.name != plan_.group) continue;
            const auto found = std::ranges::find(group.logical, volume, &LogicalVolume::name);
            return found != group.logical.end() && !is_unfinished(*found);
        }
        return false;
    }

    Done drop_labels(const std::vector<std::string>& nodes) {
        const auto command = remove_labels(lvm_, nodes);
        if (auto removed = must_run(machine_, command, deadline_); !removed) return removed;
        if (auto kept = keep_what_is_left(nodes); !kept) return kept;
        for (const auto& node : nodes) {
            if (std::ranges::find(left_[node].signatures, "LVM2_member", &Signature::type) ==
                left_[node].signatures.end()) {
                continue;
            }
            return std::unexpected(
                Failure{"assembly-failed",
                        fmt::format("pvremove ended well, but {} still has its label", node)});
        }
        return {};
    }

    /// A step of ours has changed what is on these disks: later ones expect that.
    Done keep_what_is_left(const std::vector<std::string>& nodes) {
        const auto found = side_by_side(machine_.clock, "look", nodes, [&](const auto& node) {
            return read_content(machine_, node, deadline_);
        });
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (!found[i]) return std::unexpected(found[i].error());
            left_[nodes[i]] = *found[i];
        }
        return {};
    }

    Done is_member(const Disk& disk) const {
        const auto group = machine_.kernel.volume_group(disk.node, deadline_);
        if (!group) return std::unexpected(disk_failure(group.error()));
        if (*group == plan_.group) return {};
        return std::unexpected(
            Failure{"assembly-failed",
                    fmt::format("vgcreate ended well, but {} belongs to {}", disk.node,
                                group->empty() ? "no volume group" : "the group " + *group)});
    }

    /// vgcreate refuses a disk that another program has taken or written to since it was looked at:
    /// what is on it is not ours, and not to be given up with the machine.
    Done blame(const Failure& failure) const {
        // One that hangs has refused nothing, and a disk that made it hang would do so again.
        if (failure.reason != "assembly-failed") return std::unexpected(failure);
        const auto found = side_by_side(machine_.clock, "look", plan_.disks,
                                        [&](const Disk& disk) { return somebodys(disk); });
        for (std::size_t i = 0; i < found.size(); ++i) {
            const auto& node = plan_.disks[i].node;
            if (!found[i]) {
                return std::unexpected(
                    Failure{found[i].error().reason,
                            fmt::format("{}; then {} could not be looked at: {}", failure.message,
                                        node, found[i].error().message)});
            }
            if (found[i]->empty()) continue;
            return std::unexpected(Failure{"ephemeral-foreign-data",
                                           fmt::format("{} has got {} since it was looked at; {}",
                                                       node, *found[i], failure.message)});
        }
        return std::unexpected(failure);
    }

    /// What is on the disk that is not ours, or that it is in use; "" where there is nothing.
    std::expected<std::string, Failure> somebodys(const Disk& disk) const {
        const auto limit = deadline_.clipped(machine_.clock, look_limit);
        const auto content = read_content(machine_, disk.node, deadline_);
        if (!content) return std::unexpected(content.error());
        const bool label = !content->signatures.empty();
        if (label && content->signatures.front().type != "LVM2_member") {
            return describe(content->signatures.front());
        }
        if (!label && !content->zeroed && !content->lvm_remains) return "data without a signature";
        const auto claimed = machine_.kernel.is_claimed(disk.node, limit);
        if (!claimed) return std::unexpected(disk_failure(claimed.error()));
        if (*claimed) return "a user that has it for itself";
        if (!label) return "";
        // The label alone may be ours, and so may one that can't be followed: vgcreate writes the
        // label before the group, and may have ended in between.
        const auto group = machine_.kernel.volume_group(disk.node, limit);
        if (!group || group->empty() || *group == plan_.group) return "";
        return fmt::format("a label of the volume group {}", *group);
    }

    Done there(const std::string& volume) const {
        const auto found = find_volume(machine_, plan_, volume);
        if (!found) return std::unexpected(found.error());
        return {};
    }

    const Machine& machine_;
    const Plan& plan_;
    LvmTool lvm_;
    Deadline deadline_;
    bool wrote_ = false;
    std::map<std::string, DiskContent> left_; ///< by our own steps, on disks, by node
};

/// LVM, with nodes that udev does not watch where it writes. An LVM without --devices has the usual
/// ones: whether it finds others depends on how it was built, and a disk that it does not find is
/// one that is missing.
LvmTool quiet_lvm(const Machine& machine, const Plan& plan) {
    auto lvm = plan.lvm.value_or(LvmTool{});
    // Where they can't be made udev looks more often: slower, and as right.
    if (!lvm.old && std::ranges::any_of(plan.steps, is_of_lvm) &&
        machine.kernel.make_quiet_nodes(plan.disks)) {
        lvm.nodes = quiet_nodes;
    }
    return lvm;
}

} // namespace

std::expected<void, Failure> apply(const Machine& machine, const Plan& plan, Deadline deadline,
                                   const StepNotice& notice) {
    if (!plan.refusals.empty()) {
        return std::unexpected(
            Failure{plan.refusals.front().reason, plan.refusals.front().message});
    }
    if (!plan.lvm && !plan.steps.empty()) {
        return std::unexpected(Failure{"tool-missing", "lvm is not installed (package lvm2)"});
    }
    Applier applier(machine, plan, quiet_lvm(machine, plan), deadline);
    for (const auto& step : plan.steps) {
        const auto what = describe(plan, step);
        if (notice.blank && std::holds_alternative<CreateGroup>(step)) notice.blank();
        notice.begin(what);
        const auto done = std::visit(applier, step);
        applier.taken(step);
        notice.end(what, done ? "" : done.error().message);
        if (!done)
            return std::unexpected(
                Failure{done.error().reason, what + ": " + done.error().message});
    }
    return {};
}

} // namespace muster::lvm
