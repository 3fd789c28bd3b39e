#include "lvm/scout.h"

#include <algorithm>
#include <atomic>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

// Only the plan is made from it: what a step destroys is read again right before that step.
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

/// Not to be made better by another look.
template <class T>
bool is_stuck(const std::expected<T, Failure>& answer) {
    return !answer && answer.error().reason == "ephemeral-stuck";
}

} // namespace

struct Scout::Begun {
    Disk disk;
    Instant at;
    std::expected<Look, Failure> look; ///< once the job has ended
    std::atomic<bool> ended = false;
    std::unique_ptr<Job> job;
    Begun(Disk one, Instant now) : disk(std::move(one)), at(now) {}
};

Scout::Scout(const Machine& machine, Deadline deadline) : machine_(machine), deadline_(deadline) {}

Scout::~Scout() {
    for (const auto& begun : begun_) {
        if (begun->job) machine_.clock.wait(*begun->job);
    }
    if (asks_) machine_.clock.wait(*asks_);
}

Scout::Begun& Scout::start_look(const Disk& disk) {
    auto& begun = *begun_.emplace_back(std::make_unique<Begun>(disk, machine_.clock.now()));
    begun.job = machine_.clock.start("look", [this, &begun] {
        begun.look = look_at(machine_, begun.disk, deadline_);
        begun.ended = true;
    });
    return begun;
}

/// Its latest look, while that is good; else a new one.
Scout::Begun& Scout::begin_look(const Disk& disk) {
    const auto latest = std::ranges::find(begun_.rbegin(), begun_.rend(), disk,
                                          [](const auto& begun) { return begun->disk; });
    const bool good = latest != begun_.rend() &&
                      (!(*latest)->ended || machine_.clock.now() - (*latest)->at <= good_for);
    return good ? **latest : start_look(disk);
}

void Scout::begin_tool() {
    if (asks_) return;
    asked_ = machine_.clock.now();
    asks_ = machine_.clock.start("lvm", [this] { tool_ = ask_tool(machine_, deadline_); });
}

void Scout::begin(const std::vector<Disk>& disks) {
    for (const auto& disk : disks)
        begin_look(disk);
    begin_tool();
}

std::vector<std::expected<Look, Failure>> Scout::looks(const std::vector<Disk>& disks) {
    const Instant now = machine_.clock.now();
    std::vector<Begun*> begun;
    for (const auto& disk : disks)
        begun.push_back(&begin_look(disk));
    if (!disks.empty()) begin_tool();
    // What went wrong ahead of time, or was taken at that moment, is looked at in time.
    for (auto*& one : begun) {
        machine_.clock.wait(*one->job);
        const bool well = one->look && !one->look->claimed;
        if (one->at < now && !well && !is_stuck(one->look)) one = &start_look(one->disk);
    }
    std::vector<std::expected<Look, Failure>> looks;
    for (auto* one : begun) {
        machine_.clock.wait(*one->job);
        looks.push_back(one->look);
    }
    return looks;
}

std::expected<std::optional<LvmTool>, Failure> Scout::tool() {
    const Instant now = machine_.clock.now();
    begin_tool();
    machine_.clock.wait(*asks_);
    const bool well = tool_ && *tool_;
    if (asked_ < now && !well && !is_stuck(tool_)) tool_ = ask_tool(machine_, deadline_);
    return tool_;
}

} // namespace muster::lvm
