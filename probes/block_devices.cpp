#include "probes/block_devices.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <set>
#include <span>

#include "agent/sys/mounts.h"

namespace muster::probes {
namespace {

// What is in /sys/block and is not a disk of its own: stacked, or of a kind that LVM takes no
// physical volume on. All else stays, ephemeral or not: a group of our name may be there.
constexpr std::array<std::string_view, 4> not_disks = {"dm-", "md", "sr", "fd"};
// Of these the kernel makes nodes ahead, with nothing behind them and no size.
constexpr std::array<std::string_view, 4> often_empty = {"loop", "nbd", "ram", "zram"};

bool is_of(std::span<const std::string_view> kinds, std::string_view name) {
    return std::ranges::any_of(kinds,
                               [&](std::string_view prefix) { return name.starts_with(prefix); });
}

template <class Number>
bool parse(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

/// "259:1"
bool parse_number(std::string_view text, DeviceNumber& number) {
    const auto colon = text.find(':');
    return colon != text.npos && parse(text.substr(0, colon), number.major) &&
           parse(text.substr(colon + 1), number.minor);
}

/// Reads the attributes of one disk and keeps book of what could not be read.
class DiskReader {
  public:
    DiskReader(const Files& files, std::string name)
        : files_(files), folder_("/sys/block/" + name + "/") {
        disk_.node = "/dev/" + name;
        disk_.name = std::move(name);
    }

    Disk read() {
        number("size", disk_.size);
        disk_.size *= 512; // always in units of 512 bytes, whatever the sector size
        number("queue/logical_block_size", disk_.sector_size);
        unsigned read_only = 0;
        number("ro", read_only);
        disk_.read_only = read_only != 0;
        device_number();
        disk_.model = text_if_any("device/model");
        disk_.serial = text_if_any("device/serial");
        disk_.xen = text_if_any("device/nodename");
        children();
        return std::move(disk_);
    }

  private:
    void not_known(const Error& error) { disk_.unknown.push_back(error.message); }

    template <class Number>
    void number(const char* attribute, Number& to) {
        const auto text = files_.read_value(folder_ + attribute);
        if (!text) return not_known(text.error());
        if (!parse(*text, to)) {
            not_known({Errc::malformed, fmt::format("{}{}: expected a number, found \"{}\"",
                                                    folder_, attribute, *text)});
        }
    }

    void device_number() {
        const auto text = files_.read_value(folder_ + "dev");
        if (!text) return not_known(text.error());
        DeviceNumber device;
        if (!parse_number(*text, device)) {
            not_known({Errc::malformed, fmt::format("{}dev: found \"{}\"", folder_, *text)});
        }
        disk_.major = device.major;
        disk_.minor = device.minor;
    }

    /// A Xen disk has no model and no serial: absent is a fact. Any other failure is not.
    std::string text_if_any(const char* attribute) {
        auto text = files_.read_value(folder_ + attribute);
        if (text) return std::move(*text);
        if (text.error().code != Errc::absent) not_known(text.error());
        return "";
    }

    void children() {
        const auto entries = files_.list(folder_);
        if (!entries) return not_known(entries.error());
        holders(folder_);
        for (const auto& entry : *entries) {
            if (!files_.exists(folder_ + entry + "/partition")) continue;
            disk_.partitions.push_back(entry);
            holders(folder_ + entry + "/");
        }
    }

    void holders(const std::string& folder) {
        const auto names = files_.list(folder + "holders");
        if (!names) return not_known(names.error());
        disk_.holders.insert(disk_.holders.end(), names->begin(), names->end());
    }

    const Files& files_;
    std::string folder_;
    Disk disk_;
};

/// The device numbers of a disk and of its partitions; one that can't be read goes to `unknown`,
/// since a mount of it would be overlooked.
std::vector<DeviceNumber> numbers_of(const Files& files, Disk& disk) {
    std::vector<DeviceNumber> numbers{{disk.major, disk.minor}};
    for (const auto& partition : disk.partitions) {
        const auto text = files.read_value("/sys/block/" + disk.name + "/" + partition + "/dev");
        DeviceNumber number;
        if (!text) {
            disk.unknown.push_back(text.error().message);
        } else if (parse_number(*text, number)) {
            numbers.push_back(number);
        } else {
            disk.unknown.push_back(fmt::format("{}/dev: found \"{}\"", partition, *text));
        }
    }
    return numbers;
}

Result<std::vector<Mount>> read_mounts(const Files& files, const std::string& process) {
    const auto mountinfo = files.read("/proc/" + process + "/mountinfo", 4 << 20);
    if (!mountinfo) return fail(mountinfo.error(), "disks");
    auto mounts = parse_mountinfo(*mountinfo);
    if (!mounts) return fail(mounts.error(), "disks");
    return mounts;
}

/// The mounts of our own mount namespace and of every other one that a process can be seen in. Only
/// the first must be had: processes come and go, and what is overlooked among the others the kernel
/// still knows (Kernel::is_claimed).
Result<std::vector<Mount>> read_all_mounts(const Files& files) {
    auto mounts = read_mounts(files, "self");
    const auto processes = files.list("/proc");
    if (!mounts || !processes) return mounts;
    std::set<std::string> known{files.link_name("/proc/self/ns/mnt").value_or("")};
    for (const auto& process : *processes) {
        if (process.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto space = files.link_name("/proc/" + process + "/ns/mnt");
        if (!space || !known.insert(*space).second) continue;
        for (auto& mount : read_mounts(files, process).value_or(std::vector<Mount>{})) {
            mount.target += fmt::format(" (in the mount namespace of process {})", process);
            mounts->push_back(std::move(mount));
        }
    }
    return mounts;
}

} // namespace

Result<std::vector<Disk>> read_disks(const Files& files, Kernel& kernel) {
    const auto names = files.list("/sys/block");
    if (!names) return fail(names.error(), "disks");
    const auto mounts = read_all_mounts(files);
    if (!mounts) return fail(mounts.error());

    std::vector<DeviceNumber> swapped;
    const auto swaps = files.read("/proc/swaps");
    // A kernel without swap has no such file.
    if (!swaps && swaps.error().code != Errc::absent) return fail(swaps.error(), "disks");
    for (const auto& path : parse_swaps(swaps.value_or(""))) {
        const auto number = kernel.block_device(path);
        if (number) {
            swapped.push_back(*number);
        } else if (path.starts_with("/dev/")) {
            // A file is not a disk; a device that can't be told might be any of them.
            return fail(number.error(), "disks: swapped to " + path);
        }
    }

    std::vector<Disk> disks;
    for (const auto& name : *names) {
        if (is_of(not_disks, name)) continue;
        // The per-path node of a multipath NVMe disk: the disk itself is listed too.
        if (files.read_value("/sys/block/" + name + "/hidden").value_or("0") == "1") continue;
        Disk disk = DiskReader(files, name).read();
        // Any other disk of no size is a broken one, and stays.
        if (is_of(often_empty, name) && disk.size == 0 && disk.unknown.empty()) continue;
        const auto numbers = numbers_of(files, disk);
        for (const auto& mount : *mounts) {
            const DeviceNumber number{mount.major, mount.minor};
            if (std::ranges::find(numbers, number) != numbers.end()) {
                disk.mounts.push_back(mount.target);
            }
        }
        disk.swap = std::ranges::find_first_of(numbers, swapped) != numbers.end();
        disks.push_back(std::move(disk));
    }
    return disks;
}

Result<std::vector<DeviceNode>> resolve_mapped_name(Kernel& kernel, std::string_view name) {
    std::vector<std::string> paths{fmt::format("/dev/{}", name)};
    if (name.starts_with("sd")) paths.push_back(fmt::format("/dev/xvd{}", name.substr(2)));
    std::vector<DeviceNode> nodes;
    for (const auto& path : paths) {
        const auto found = kernel.device_node(path);
        if (!found) {
            // No such node, or not a block device: a fact. Anything else may hide a second claim.
            const auto code = found.error().code;
            if (code != Errc::absent && code != Errc::malformed) {
                return fail(found.error(), path);
            }
            continue;
        }
        const auto known = std::ranges::find(nodes, found->number, &DeviceNode::number);
        if (known == nodes.end()) {
            nodes.push_back(*found);
        } else if (!found->link) {
            known->link = false;
        }
    }
    return nodes;
}

bool same_device_name(std::string_view one, std::string_view other) {
    const auto letters = [](std::string_view name) {
        if (name.starts_with("/dev/")) name.remove_prefix(5);
        if (name.starts_with("xvd")) return name.substr(3);
        return name.starts_with("sd") ? name.substr(2) : name;
    };
    return letters(one) == letters(other);
}

std::vector<std::string> parse_swaps(std::string_view text) {
    std::vector<std::string> paths;
    bool header = true;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!header && line.starts_with('/'))
            paths.emplace_back(line.substr(0, line.find_first_of(" \t")));
        header = false;
    }
    return paths;
}

} // namespace muster::probes
