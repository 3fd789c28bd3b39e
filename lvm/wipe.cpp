#include "lvm/wipe.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/filesystem.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr std::uint64_t block = 4096; ///< whole sectors, whatever their size
constexpr std::uint64_t end_part = 1 << 20;
/// LVM's labels and metadata, and the MiB behind, with which the first volume begins: what a
/// partition table of before put there is wiped with it.
constexpr std::uint64_t start_part = 2 << 20;
constexpr Duration partitions_limit = std::chrono::seconds(10);
constexpr Duration try_again_after = std::chrono::milliseconds(200);

std::expected<std::string, Failure> need_tool(const Machine& machine, const char* name) {
    auto path = find_tool(machine.files, name);
    if (path) return std::move(*path);
    return std::unexpected(
        Failure{"tool-missing", fmt::format("{} is not installed (package util-linux)", name)});
}

std::expected<void, Failure> failure(std::string reason, std::string message) {
    return std::unexpected(Failure{std::move(reason), std::move(message)});
}

/// The kernel keeps a partition that anybody has open, and udev looks into each one when its disk
/// has been written to: tried for a while.
std::expected<void, Failure> drop_partitions(const Machine& machine, const std::string& blockdev,
                                             const Disk& disk, Deadline deadline) {
    const auto is_there = [&](const std::string& partition) {
        return machine.files.exists(fmt::format("/sys/block/{}/{}", disk.name, partition));
    };
    const Deadline limit = deadline.clipped(machine.clock, partitions_limit);
    std::expected<void, Failure> done;
    while (std::ranges::any_of(disk.partitions, is_there)) {
        if (limit.passed(machine.clock)) {
            return failure("assembly-failed",
                           fmt::format("{} was zeroed, and the kernel still has its partitions{}",
                                       disk.node, done ? "" : ": " + done.error().message));
        }
        done = must_run(machine, forget_partitions(blockdev, disk.node),
                        deadline.clipped(machine.clock, partitions_limit));
        if (!done && done.error().reason != "assembly-failed") return done; // it hangs
        if (std::ranges::any_of(disk.partitions, is_there)) {
            machine.clock.sleep_until(machine.clock.now() + try_again_after);
        }
    }
    return {};
}

bool is_member(const DiskContent& content) {
    return std::ranges::any_of(content.signatures, [](const Signature& signature) {
        return signature.type == "LVM2_member";
    });
}

} // namespace

std::vector<Extent> extents_of(const WipeDisk& step) {
    const std::uint64_t size = step.disk.size;
    if (size <= start_part + end_part) return {{0, size}};

    std::vector<Extent> extents;
    const std::uint64_t tail = (size - end_part) / block * block;
    // The block with the header of the empty metadata area stays: with the label it says that no
    // group has the disk, and without it that a pvcreate was cut short.
    if (step.content.lvm_empty) {
        return {{tail, size - tail}, {2 * block, start_part - 2 * block}, {0, block}};
    }
    for (const auto& signature : step.content.signatures) {
        if (signature.offset < start_part || signature.offset >= tail) continue;
        extents.push_back({signature.offset / block * block, block});
    }
    extents.push_back({tail, size - tail});
    extents.push_back({block, start_part - block});
    extents.push_back({0, block}); // the superblock of an ext, at 1024
    // Without its label the rest is data without a name, which "wipe" permits to go. A label
    // without its metadata would be one of a group that may lie on other disks, too.
    if (is_member(step.content)) std::ranges::rotate(extents, extents.end() - 1);
    return extents;
}

std::expected<void, Failure> wipe(const Machine& machine, const WipeDisk& step, Deadline deadline) {
    const auto& node = step.disk.node;
    const auto blkdiscard = need_tool(machine, "blkdiscard");
    if (!blkdiscard) return std::unexpected(blkdiscard.error());
    const auto blockdev = need_tool(machine, "blockdev");
    if (!blockdev) return std::unexpected(blockdev.error());

    const auto before = machine.kernel.content(node, deadline);
    if (!before) return std::unexpected(disk_failure(before.error()));
    if (*before != step.content) {
        return failure("cannot-tell", fmt::format("{} no longer holds what it held when the plan "
                                                  "was made; nothing was written to it",
                                                  node));
    }
    const auto claimed = machine.kernel.is_claimed(node, deadline);
    if (!claimed) return std::unexpected(disk_failure(claimed.error()));
    if (*claimed) {
        return failure("ephemeral-foreign-data",
                       fmt::format("{} has come into use since the plan was made; nothing was "
                                   "written to it",
                                   node));
    }
    for (const auto& extent : extents_of(step)) {
        const auto command = write_zeros(*blkdiscard, node, extent);
        if (auto done = must_run(machine, command, deadline); !done) return done;
    }
    if (auto forgotten = drop_partitions(machine, *blockdev, step.disk, deadline); !forgotten) {
        return forgotten;
    }
    const auto after = machine.kernel.content(node, deadline);
    if (!after) return std::unexpected(disk_failure(after.error()));
    if (after->signatures.empty() && (after->zeroed || after->lvm_remains)) return {};
    return failure(
        "assembly-failed",
        fmt::format("{} was zeroed, and still holds {}", node,
                    after->signatures.empty() ? "data" : describe(after->signatures.front())));
}

} // namespace muster::lvm
