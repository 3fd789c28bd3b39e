#include "lvm/openers.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

namespace muster::lvm {
namespace {

constexpr Duration openers_patience = std::chrono::seconds(10);
constexpr Duration openers_pause = std::chrono::milliseconds(50);

/// "259:3"; none where there is no such partition any more.
std::expected<std::optional<DeviceNumber>, Failure>
partition_number(const Files& files, const Disk& disk, const std::string& partition) {
    const auto path = fmt::format("/sys/block/{}/{}/dev", disk.name, partition);
    const auto text = files.read_value(path);
    if (!text && text.error().code == Errc::absent) return std::nullopt;
    if (!text) return std::unexpected(Failure{"cannot-tell", text.error().message});
    DeviceNumber number;
    const auto* end = text->data() + text->size();
    const auto major = std::from_chars(text->data(), end, number.major);
    if (major.ec == std::errc() && major.ptr != end && *major.ptr == ':') {
        const auto minor = std::from_chars(major.ptr + 1, end, number.minor);
        if (minor.ec == std::errc() && minor.ptr == end) return number;
    }
    return std::unexpected(Failure{
        "cannot-tell", fmt::format("{}: expected a device number, found \"{}\"", path, *text)});
}

struct Numbers {
    std::vector<DeviceNumber> all;
    std::vector<const Disk*> disk_of;
};

std::expected<Numbers, Failure> numbers_of(const Files& files, const std::vector<Disk>& disks) {
    Numbers numbers;
    for (const auto& disk : disks) {
        numbers.all.push_back({disk.major, disk.minor});
        numbers.disk_of.push_back(&disk);
        for (const auto& partition : disk.partitions) {
            const auto read = partition_number(files, disk, partition);
            if (!read) return std::unexpected(read.error());
            const std::optional<DeviceNumber>& number = *read; // none: it has gone
            if (!number) continue;
            numbers.all.push_back(*number);
            numbers.disk_of.push_back(&disk);
        }
    }
    return numbers;
}

std::string describe_unseen(const Openers& openers) {
    if (openers.only_dev) {
        return "the open descriptors of files outside /dev could not be read in time: a filesystem "
               "may hang, and whether a program has a disk open by a node there is not known";
    }
    if (openers.unseen == 0) return "";
    return fmt::format("the open descriptors of {} processes cannot be read (CAP_SYS_PTRACE is "
                       "needed): whether one of them has a disk open is not known",
                       openers.unseen);
}

std::expected<DiskOpeners, Failure> look_once(const Machine& machine, const Numbers& numbers,
                                              const Counts& counts, Deadline deadline) {
    const auto openers =
        machine.kernel.openers(numbers.all, deadline.clipped(machine.clock, look_limit));
    if (!openers) return std::unexpected(Failure{"cannot-tell", openers.error().message});
    DiskOpeners found{.of = {}, .unseen = describe_unseen(*openers)};
    for (const auto& opener : openers->found) {
        const auto at = std::ranges::find(numbers.all, opener.device);
        if (at == numbers.all.end()) continue;
        const auto& disk = *numbers.disk_of[static_cast<std::size_t>(at - numbers.all.begin())];
        if (counts(disk, opener)) found.of[disk.name].push_back(opener);
    }
    return found;
}

} // namespace

std::expected<DiskOpeners, Failure> wait_for_openers(const Machine& machine,
                                                     const std::vector<Disk>& disks,
                                                     const Counts& counts, Deadline deadline) {
    const auto numbers = numbers_of(machine.files, disks);
    if (!numbers) return std::unexpected(numbers.error());
    const Deadline limit = deadline.clipped(machine.clock, openers_patience);
    while (true) {
        auto found = look_once(machine, *numbers, counts, deadline);
        if (!found || found->of.empty() || limit.passed(machine.clock)) return found;
        machine.clock.sleep_until(machine.clock.now() + openers_pause);
    }
}

bool holds_nothing(const DiskContent& content) {
    if (content.signatures.empty()) return content.zeroed || content.lvm_remains;
    return content.signatures.size() == 1 && content.lvm_empty;
}

bool is_hindrance(const Opener& opener, const DiskContent& content) {
    return opener.writes || !holds_nothing(content);
}

std::string describe(const std::vector<Opener>& openers) {
    std::string text;
    for (const auto& one : openers)
        text += fmt::format("{}{} (pid {})", text.empty() ? "" : ", ", one.program, one.pid);
    return "is held open by " + text;
}

} // namespace muster::lvm
