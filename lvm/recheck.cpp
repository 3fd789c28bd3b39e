#include "lvm/recheck.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "agent/sys/side_by_side.h"
#include "lvm/openers.h"

namespace muster::lvm {
namespace {

std::unexpected<Failure> refusal(const char* reason, std::string message) {
    return std::unexpected(Failure{reason, std::move(message)});
}

std::string what_came(const DiskContent& now, const DiskContent& before) {
    for (const auto& signature : now.signatures) {
        if (std::ranges::find(before.signatures, signature) == before.signatures.end())
            return "has got " + describe(signature);
    }
    return now.signatures.empty() && !now.zeroed ? "has got data without a signature"
                                                 : "no longer holds what it held";
}

} // namespace

std::string Recheck::written() const {
    return untouched_ ? "nothing was written" : "this step was not taken";
}

Recheck::Done Recheck::is_same(const Disk& disk) const {
    const auto folder = "/sys/block/" + disk.name + "/";
    const auto same = [&](const char* attribute, const std::string& before) {
        const auto now = machine_.files.read_value(folder + attribute);
        // A Xen disk has no serial; one that can't be read may be another's.
        return now ? *now == before : before.empty() && now.error().code == Errc::absent;
    };
    if (same("device/serial", disk.serial) && same("device/model", disk.model) &&
        same("dev", fmt::format("{}:{}", disk.major, disk.minor)) &&
        same("size", fmt::format("{}", disk.size / 512))) {
        return {};
    }
    return refusal("cannot-tell",
                   fmt::format("{} is no longer the disk that it was when the plan was made "
                               "(serial \"{}\"); {}",
                               disk.node, disk.serial, written()));
}

Recheck::Done Recheck::same_disks() const {
    for (const auto& disk : plan_.disks) {
        if (auto same = is_same(disk); !same) return same;
    }
    return {};
}

Recheck::Done Recheck::not_open(const std::vector<Disk>& disks, bool blank) const {
    const auto openers = wait_for_openers(
        machine_, disks,
        [&](const Disk&, const Opener& opener) { return is_hindrance(opener, {.zeroed = blank}); },
        deadline_);
    if (!openers) return std::unexpected(openers.error());
    for (const auto& disk : disks) {
        const auto found = openers->of.find(disk.name);
        if (found == openers->of.end()) continue;
        return refusal("ephemeral-foreign-data",
                       fmt::format("{} {}; {}", disk.node, describe(found->second), written()));
    }
    return {};
}

Recheck::Done Recheck::not_claimed(const Disk& disk) const {
    const auto claimed =
        machine_.kernel.is_claimed(disk.node, deadline_.clipped(machine_.clock, look_limit));
    if (!claimed) return std::unexpected(disk_failure(claimed.error()));
    if (!*claimed) return {};
    return refusal(
        "ephemeral-foreign-data",
        fmt::format("{} has come into use since the plan was made; {}", disk.node, written()));
}

Recheck::Done Recheck::holds_the_same(std::size_t index) const {
    const auto& disk = plan_.disks[index];
    const auto left = left_.find(disk.node);
    const auto& before = left != left_.end() ? left->second : plan_.contents.at(index);
    const auto now = read_content(machine_, disk.node, deadline_);
    if (!now) return std::unexpected(now.error());
    if (*now == before) return {};
    return refusal("ephemeral-foreign-data",
                   fmt::format("{} {} since the plan was made; {}", disk.node,
                               what_came(*now, before), written()));
}

Recheck::Done Recheck::side_by_side_on_all(const std::function<Done(std::size_t)>& look) const {
    std::vector<std::size_t> all(plan_.disks.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (auto& done : side_by_side(machine_.clock, "look", all, look)) {
        if (!done) return std::move(done);
    }
    return {};
}

Recheck::Done Recheck::before(const WipeDisk& step) const {
    if (auto same = same_disks(); !same) return same;
    return not_open({step.disk}, false);
}

Recheck::Done Recheck::are_as_before(const std::vector<std::string>& nodes) const {
    if (auto same = same_disks(); !same) return same;
    const auto is_one = [&](const Disk& disk) {
        return std::ranges::find(nodes, disk.node) != nodes.end();
    };
    std::vector<Disk> members;
    std::ranges::copy_if(plan_.disks, std::back_inserter(members), is_one);
    if (auto free = not_open(members, false); !free) return free;
    return side_by_side_on_all(
        [&](std::size_t i) -> Done { return is_one(plan_.disks[i]) ? holds_the_same(i) : Done(); });
}

Recheck::Done Recheck::before(const MarkGroup& step) const {
    return are_as_before(step.devices);
}

Recheck::Done Recheck::before(const RemoveGroup& step) const {
    return are_as_before(step.devices);
}

Recheck::Done Recheck::before(const CreateGroup&) const {
    if (auto same = same_disks(); !same) return same;
    if (auto free = not_open(plan_.disks, true); !free) return free;
    // What the disks hold is read last: a write that was ended before it is seen.
    return side_by_side_on_all([&](std::size_t i) -> Done {
        if (auto free = not_claimed(plan_.disks[i]); !free) return free;
        return holds_the_same(i);
    });
}

} // namespace muster::lvm
