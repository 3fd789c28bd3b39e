#include "lvm/survey.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/side_by_side.h"
#include "lvm/active.h"
#include "lvm/judge.h"
#include "lvm/mount_points.h"
#include "lvm/openers.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

// Of a disk that is not ours: whether it has our group's name is not worth a wait.
constexpr Duration elsewhere_limit = std::chrono::seconds(2);

bool has_label(const Candidate& candidate) {
    return std::ranges::any_of(candidate.content.signatures, [](const Signature& signature) {
        return signature.type == "LVM2_member";
    });
}

/// Where a disk carries its label LVM says what that is; else no more than its version is asked.
std::expected<void, Failure> ask_lvm(const Machine& machine, Scout& scout, Situation& situation,
                                     Deadline deadline) {
    if (situation.candidates.empty()) return {};
    std::vector<std::string> nodes;
    for (const auto& candidate : situation.candidates) {
        if (has_label(candidate)) nodes.push_back(candidate.disk.node);
    }
    auto tool = scout.tool();
    if (!tool) return std::unexpected(tool.error());
    situation.lvm_tool = std::move(*tool);
    if (nodes.empty()) return {};
    if (!situation.lvm_tool) {
        return std::unexpected(Failure{
            "tool-missing", "lvm is not installed (package lvm2), and a disk carries its label"});
    }
    const auto text = ask(machine, read_report(*situation.lvm_tool, nodes), deadline);
    if (!text) return std::unexpected(text.error());
    auto report = parse_report(*text);
    if (!report) return std::unexpected(Failure{"assembly-failed", report.error().message});
    situation.lvm = std::move(*report);
    return {};
}

std::expected<std::vector<Candidate>, Failure> look_at(const std::vector<ProvedDisk>& proved,
                                                       Scout& scout) {
    std::vector<Disk> disks;
    for (const auto& one : proved)
        disks.push_back(one.disk);
    const auto looks = scout.looks(disks);
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        const auto& look = looks[i];
        if (!look) return std::unexpected(look.error());
        candidates.push_back({proved[i].disk, proved[i].evidence, look->content, look->claimed});
    }
    return candidates;
}

/// What else may be a physical volume: the other disks or their partitions, and what is stacked on
/// disks (md, dm-crypt), but for our own group's volumes.
Result<std::vector<std::string>>
nodes_elsewhere(const Files& files, const std::vector<Disk>& others, const std::string& group) {
    std::vector<std::string> nodes;
    for (const auto& disk : others) {
        for (const auto& partition : disk.partitions)
            nodes.push_back("/dev/" + partition);
        if (disk.partitions.empty()) nodes.push_back(disk.node);
    }
    const auto blocks = files.list("/sys/block");
    if (!blocks) return fail(blocks.error());
    for (const auto& block : *blocks) {
        if (!block.starts_with("dm-") && !block.starts_with("md")) continue;
        const auto name = files.read_value("/sys/block/" + block + "/dm/name");
        if (!name || !has_name_of(*name, group)) nodes.push_back("/dev/" + block);
    }
    return nodes;
}

struct Elsewhere {
    std::vector<GroupElsewhere> groups;
    std::vector<std::string> unknown; ///< what could not be read, for a person
};

/// --devices hides the groups on other disks from LVM, so their labels are read here. Their disks
/// are not what this is about: one that can't be read is a note.
Elsewhere look_elsewhere(const Machine& machine, const std::vector<Disk>& others,
                         const std::string& group, Deadline deadline) {
    Elsewhere elsewhere;
    const auto unknown = [&](const std::string& what, const Error& error) {
        elsewhere.unknown.push_back(fmt::format("cannot determine whether {} has a volume group "
                                                "called {}: {}",
                                                what, group, error.message));
    };
    const auto nodes = nodes_elsewhere(machine.files, others, group);
    if (!nodes) {
        unknown("another disk", nodes.error());
        return elsewhere;
    }
    const auto groups = side_by_side(machine.clock, "look", *nodes, [&](const std::string& node) {
        return machine.kernel.volume_group(node, deadline.clipped(machine.clock, elsewhere_limit));
    });
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (!groups[i]) {
            unknown((*nodes)[i], groups[i].error());
        } else if (!groups[i]->empty()) {
            elsewhere.groups.push_back({(*nodes)[i], *groups[i]});
        }
    }
    return elsewhere;
}

/// What is on an owner's own volume is his: a snapshot that is full answers with errors.
std::expected<void, Failure> read_our_nodes(const Machine& machine, Situation& situation,
                                            Deadline deadline) {
    std::vector<std::string> uuids;
    for (const auto& group : situation.lvm.groups) {
        if (is_tagged_ours(situation, group)) uuids.push_back(group.uuid);
    }
    auto active = read_active(machine, situation.layout.volume_group, uuids);
    if (!active) return std::unexpected(active.error());
    situation.active = std::move(*active);
    for (const auto& wanted : situation.layout.volumes) {
        const auto found =
            situation.active.find(mapper_name(situation.layout.volume_group, wanted.name));
        if (found == situation.active.end() || found->second.disks.empty()) continue;
        const auto group = mapper_group(found->second.uuid);
        const bool ours = std::ranges::any_of(
            uuids, [&](const std::string& uuid) { return mapper_uuid(uuid) == group; });
        if (!ours) continue;
        auto content = read_content(machine, found->second.node, deadline);
        if (!content) return std::unexpected(content.error());
        found->second.content = std::move(*content);
    }
    return {};
}

/// Of the disks that may be written to.
std::expected<void, Failure> look_for_openers(const Machine& machine, Situation& situation,
                                              Deadline deadline) {
    std::vector<Disk> disks;
    for (const auto& candidate : situation.candidates)
        disks.push_back(candidate.disk);
    const auto counts = [&](const Disk& disk, const Opener& opener) {
        const auto one = std::ranges::find(
            situation.candidates, disk.name,
            [](const Candidate& candidate) -> const std::string& { return candidate.disk.name; });
        return is_hindrance(opener, one->content);
    };
    auto openers = wait_for_openers(machine, disks, counts, deadline);
    if (!openers) return std::unexpected(openers.error());
    for (auto& candidate : situation.candidates) {
        const auto found = openers->of.find(candidate.disk.name);
        if (found != openers->of.end()) candidate.openers = found->second;
    }
    if (!openers->unseen.empty()) situation.notes.push_back(std::move(openers->unseen));
    return {};
}

/// Nothing of ours is whole, so a group may be made.
std::expected<void, Failure> look_around(const Machine& machine, const std::vector<Disk>& others,
                                         Deadline deadline, Situation& situation) {
    std::expected<void, Failure> open;
    const auto job = machine.clock.start(
        "openers", [&] { open = look_for_openers(machine, situation, deadline); });
    auto elsewhere = look_elsewhere(machine, others, situation.layout.volume_group, deadline);
    machine.clock.wait(*job);
    situation.elsewhere = std::move(elsewhere.groups);
    situation.elsewhere_unknown = !elsewhere.unknown.empty();
    std::ranges::move(elsewhere.unknown, std::back_inserter(situation.notes));
    situation.group_folder = machine.files.exists("/dev/" + situation.layout.volume_group);
    return open;
}

} // namespace

std::expected<Situation, Failure> survey(const Machine& machine, Scout& scout,
                                         const Inventory& inventory, const GroupLayout& layout,
                                         const std::string& instance_id, Deadline deadline) {
    auto candidates = look_at(inventory.ephemeral, scout);
    if (!candidates) return std::unexpected(candidates.error());
    Situation situation{.instance_id = instance_id,
                        .layout = layout,
                        .lvm_tool = {},
                        .candidates = std::move(*candidates)};
    if (auto asked = ask_lvm(machine, scout, situation, deadline); !asked) {
        return std::unexpected(asked.error());
    }
    const auto whole_and_ours = [&](const auto& group) {
        return is_ours(situation, group) && !group.partial();
    };
    if (!situation.candidates.empty() &&
        std::ranges::none_of(situation.lvm.groups, whole_and_ours)) {
        auto looked = look_around(machine, inventory.others, deadline, situation);
        if (!looked) return std::unexpected(looked.error());
    }

    if (auto read = read_our_nodes(machine, situation, deadline); !read) {
        return std::unexpected(read.error());
    }

    look_at_points(machine, deadline, situation);
    return situation;
}

} // namespace muster::lvm
