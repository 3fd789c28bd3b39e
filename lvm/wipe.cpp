#include "lvm/wipe.h"

#include <algorithm>
#include <fmt/format.h>

namespace muster::lvm {
namespace {

constexpr std::uint64_t block = 4096; ///< whole sectors, whatever their size
constexpr std::uint64_t end_part = 1 << 20;
/// LVM's labels and metadata, and the MiB behind, with which the first volume begins: what a
/// partition table of before put there is wiped with it.
constexpr std::uint64_t start_part = 2 << 20;

std::unexpected<Failure> refuse_wipe(std::string reason, std::string message) {
    return std::unexpected(Failure{std::move(reason), std::move(message)});
}

std::expected<void, Failure> to_failure(Wiped wiped, const std::string& node,
                                        const std::string& written) {
    switch (wiped) {
    case Wiped::all: return {};
    case Wiped::in_use:
        return refuse_wipe(
            "ephemeral-foreign-data",
            fmt::format("{} has come into use since the plan was made; {}", node, written));
    case Wiped::other_content:
        return refuse_wipe("ephemeral-foreign-data",
                           fmt::format("{} no longer holds what it held when the plan was made; {}",
                                       node, written));
    case Wiped::other_device:
        return refuse_wipe(
            "cannot-tell",
            fmt::format("{} is no longer the node of the disk that it was when the plan "
                        "was made; {}",
                        node, written));
    case Wiped::partitions_stay: break;
    }
    return refuse_wipe("assembly-failed",
                       fmt::format("{} was zeroed, and the kernel still has its partitions: one is "
                                   "open",
                                   node));
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

std::expected<DiskContent, Failure> wipe(const Machine& machine, const WipeDisk& step,
                                         const std::string& written, Deadline deadline) {
    const auto& node = step.disk.node;
    const auto had = deadline.left(machine.clock);
    const auto wiped = machine.kernel.wipe({.node = node,
                                            .number = {step.disk.major, step.disk.minor},
                                            .content = step.content,
                                            .extents = extents_of(step),
                                            .partitioned = !step.disk.partitions.empty()},
                                           deadline);
    if (!wiped && wiped.error().code == Errc::stuck && had < fair_time) {
        return refuse_wipe("deadline-exceeded",
                           fmt::format("wiping {}: the time was up; it had {:.1f} s", node,
                                       seconds(std::max(had, {}))));
    }
    if (!wiped) return std::unexpected(disk_failure(wiped.error()));
    if (auto done = to_failure(*wiped, node, written); !done) return std::unexpected(done.error());
    const auto left = std::ranges::find_if(step.disk.partitions, [&](const auto& partition) {
        return machine.files.exists(fmt::format("/sys/block/{}/{}", step.disk.name, partition));
    });
    if (left != step.disk.partitions.end()) {
        return refuse_wipe("assembly-failed",
                           fmt::format("{} was zeroed, and the kernel still has {}", node, *left));
    }
    auto after = machine.kernel.content(node, deadline);
    if (!after) return std::unexpected(disk_failure(after.error()));
    if (after->signatures.empty() && (after->zeroed || after->lvm_remains))
        return std::move(*after);
    return refuse_wipe(
        "assembly-failed",
        fmt::format("{} was zeroed, and still holds {}", node,
                    after->signatures.empty() ? "data" : describe(after->signatures.front())));
}

} // namespace muster::lvm
