#include "lvm/scout.h"

#include <algorithm>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

// What was seen is as old when it is used. Each step that writes looks at its disks again, and LVM
// itself refuses a disk that has got a signature meanwhile; this is for the plan.
constexpr Duration good_for = std::chrono::seconds(2);

std::expected<Look, Failure> look_at(const Machine& machine, const Disk& disk, Deadline deadline) {
    auto content = read_content(machine, disk.node, deadline);
    if (!content) return std::unexpected(content.error());
    Look look{.content = std::move(*content)};
    // Where something is seen to use it, the question is answered.
    if (disk.holders.empty() && disk.mounts.empty() && !disk.swap) {
        const auto claimed =
            machine.kernel.is_claimed(disk.node, deadline.clipped(machine.clock, look_limit));
        if (!claimed) return std::unexpected(disk_failure(claimed.error()));
        look.claimed = *claimed;
    }
    return look;
}

std::expected<std::optional<LvmTool>, Failure> ask_tool(const Machine& machine, Deadline deadline) {
    const auto path = find_tool(machine.files, "lvm");
    if (!path) return std::nullopt;
    LvmTool lvm{.path = *path};
    const auto version = ask(machine, ask_version(lvm), deadline);
    if (!version) return std::unexpected(version.error());
    const auto old = is_old_lvm(*version);
    if (!old) return std::unexpected(Failure{"assembly-failed", old.error().message});
    lvm.old = *old;
    return lvm;
}

} // namespace

struct Scout::Begun {
    Disk disk;
    Instant at;
    std::expected<Look, Failure> look; ///< once the job has ended
    std::unique_ptr<Job> job;
};

Scout::Scout(const Machine& machine, Deadline deadline) : machine_(machine), deadline_(deadline) {}

Scout::~Scout() {
    for (const auto& begun : begun_)
        machine_.clock.wait(*begun->job);
    if (asks_) machine_.clock.wait(*asks_);
}

/// Its latest look, while that is good; else a new one.
Scout::Begun& Scout::begin_look(const Disk& disk) {
    const Instant now = machine_.clock.now();
    const auto latest = std::ranges::find(begun_.rbegin(), begun_.rend(), disk,
                                          [](const auto& begun) { return begun->disk; });
    if (latest != begun_.rend() && now - (*latest)->at <= good_for) return **latest;
    auto& begun = *begun_.emplace_back(std::make_unique<Begun>(disk, now));
    begun.job = machine_.clock.start(
        "look", [this, &begun] { begun.look = look_at(machine_, begun.disk, deadline_); });
    return begun;
}

void Scout::begin_tool() {
    if (asks_) return;
    asks_ = machine_.clock.start("lvm", [this] { tool_ = ask_tool(machine_, deadline_); });
}

void Scout::begin(const std::vector<Disk>& disks) {
    for (const auto& disk : disks)
        begin_look(disk);
    begin_tool();
}

std::vector<std::expected<Look, Failure>> Scout::looks(const std::vector<Disk>& disks) {
    std::vector<Begun*> begun;
    begun.reserve(disks.size());
    for (const auto& disk : disks)
        begun.push_back(&begin_look(disk));
    if (!disks.empty()) begin_tool();
    std::vector<std::expected<Look, Failure>> looks;
    looks.reserve(disks.size());
    for (auto* one : begun) {
        machine_.clock.wait(*one->job);
        looks.push_back(one->look);
    }
    return looks;
}

std::expected<std::optional<LvmTool>, Failure> Scout::tool() {
    begin_tool();
    machine_.clock.wait(*asks_);
    return tool_;
}

} // namespace muster::lvm
