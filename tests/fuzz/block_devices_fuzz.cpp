// What sysfs, mountinfo and swaps say of the disks. The input is a small /sys and /proc:
//
//     @/sys/block/xvdb/size
//     2048
//     @!/sys/block/xvdb/ro
//
// gives one file its content and makes another one unreadable.
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/sys/files.h"
#include "agent/sys/mounts.h"
#include "probes/block_devices.h"
#include "tests/fuzz/fuzz.h"

namespace {

/// What a file holds; nothing where it can't be read.
std::map<std::string, std::optional<std::string>, std::less<>> tree;

void make_tree(std::string_view text) {
    tree.clear();
    // Without these nothing would ever be looked at.
    tree["/proc/self/mountinfo"] = tree["/proc/swaps"] = "";
    while (!text.empty()) {
        const auto end = text.find("\n@");
        auto part = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (!part.starts_with('@')) continue;
        part.remove_prefix(1);
        const bool unreadable = part.starts_with('!');
        if (unreadable) part.remove_prefix(1);
        const auto path = part.substr(0, part.find('\n'));
        part.remove_prefix(std::min(part.size(), path.size() + 1));
        if (!path.starts_with('/')) continue;
        auto& content = tree[std::string(path)];
        content = unreadable ? std::nullopt : std::optional(std::string(part));
    }
}

} // namespace

// The files of this program are in `tree`: it is linked without agent/sys/files.cpp.
namespace muster {

Result<std::string> Files::read(std::string_view path, std::size_t limit) const {
    const auto found = tree.find(path);
    if (found == tree.end()) return fail(Errc::absent, std::string(path) + ": absent");
    if (!found->second) return fail(Errc::io, std::string(path) + ": unreadable");
    if (found->second->size() > limit) return fail(Errc::too_large, std::string(path));
    return *found->second;
}

Result<std::string> Files::read_value(std::string_view path) const {
    constexpr auto blank = " \t\n\v\f\r";
    auto text = read(path);
    if (!text) return text;
    text->erase(0, std::min(text->find_first_not_of(blank), text->size()));
    text->erase(text->find_last_not_of(blank) + 1);
    return text;
}

Result<std::vector<std::string>> Files::list(std::string_view path) const {
    auto prefix = std::string(path);
    if (!prefix.ends_with('/')) prefix += '/';
    std::vector<std::string> names;
    for (auto at = tree.lower_bound(prefix); at != tree.end() && at->first.starts_with(prefix);
         ++at) {
        auto name = at->first.substr(prefix.size());
        name = name.substr(0, name.find('/'));
        if (!name.empty() && (names.empty() || names.back() != name)) names.push_back(name);
    }
    if (names.empty()) return fail(Errc::absent, prefix + ": absent");
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

/// A link is a file that holds its target.
Result<std::string> Files::link_name(std::string_view path) const {
    auto target = read(path);
    if (target) target->erase(0, target->rfind('/') + 1);
    return target;
}

bool Files::exists(std::string_view path) const {
    return tree.contains(path) || list(path).has_value();
}

} // namespace muster

namespace {

using namespace muster;
using fuzz::must;

template <class Number>
bool is_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

std::optional<DeviceNumber> number_in(const std::string& file) {
    const auto text = Files().read_value(file);
    const auto colon = text ? text->find(':') : std::string::npos;
    DeviceNumber number;
    if (colon == std::string::npos || !is_number(text->substr(0, colon), number.major) ||
        !is_number(text->substr(colon + 1), number.minor)) {
        return std::nullopt;
    }
    return number;
}

/// Knows the nodes of the disks that are in the tree, and nothing else.
class FuzzedKernel : public Kernel {
  public:
    Result<DeviceNumber> block_device(std::string_view node) override {
        const auto name = std::string(node.substr(std::min<std::size_t>(node.size(), 5)));
        const auto number = number_in("/sys/block/" + name + "/dev");
        if (!node.starts_with("/dev/") || !number) {
            return fail(Errc::absent, std::string(node) + ": no such device");
        }
        return *number;
    }
    Result<DeviceNode> device_node(std::string_view) override { return unexpected(); }
    Result<std::unique_ptr<PendingIo>>
    start_read(std::string_view, const std::vector<std::uint64_t>&, std::uint32_t) override {
        return unexpected();
    }
    Result<std::unique_ptr<PendingIo>> start_write(std::string_view,
                                                   std::optional<DeviceNumber>) override {
        return unexpected();
    }
    Result<std::string> log_page(std::string_view, std::uint8_t, std::uint32_t, Deadline) override {
        return unexpected();
    }
    Result<std::vector<std::string>> log_records() override { return unexpected(); }
    Result<DiskContent> content(std::string_view, Deadline) override { return unexpected(); }
    Result<std::string> identify(std::string_view, Deadline) override { return unexpected(); }
    Result<bool> is_claimed(std::string_view, Deadline) override { return unexpected(); }
    Result<Openers> openers(const std::vector<DeviceNumber>&, Deadline) override {
        return unexpected();
    }
    Result<Wiped> wipe(const WipeRequest&, Deadline) override { return unexpected(); }
    Result<std::string> volume_group(std::string_view, Deadline) override { return unexpected(); }
    Result<Space> space(std::string_view, Deadline) override { return unexpected(); }
    Result<std::vector<FolderEntry>> folder(std::string_view, Deadline) override {
        return unexpected();
    }
    Result<void> make_quiet_nodes(const std::vector<Disk>&) override { return unexpected(); }
    void drop_quiet_nodes() override {}
    std::unique_ptr<BlockWatch> watch_blocks() override { return nullptr; }
    Result<MountPoint> mount_point(std::string_view, Deadline) override { return unexpected(); }
    Result<void> mount(const MountRequest&, Deadline) override { return unexpected(); }

  private:
    static std::unexpected<Error> unexpected() {
        must(false, "disks are listed without touching them");
        return fail(Errc::internal, "");
    }
};

/// All that a disk is said to be stands so in its folder.
void must_be_known(const Disk& disk) {
    const auto folder = "/sys/block/" + disk.name + "/";
    std::uint64_t sectors = 0;
    const auto size = Files().read_value(folder + "size");
    must(size && is_number(*size, sectors), "a known disk has a size");
    // Not true of more than 2^55 sectors, 16 EiB, which no kernel says.
    must(disk.size / 512 == sectors || sectors >> 55 != 0, "its size is what stands there");
    const auto number = number_in(folder + "dev");
    must(number && *number == DeviceNumber{disk.major, disk.minor}, "so is its number");
    const auto read_only = Files().read_value(folder + "ro");
    must(read_only && (disk.read_only || read_only->find_first_not_of('0') == std::string::npos),
         "it is writable where it says so");
    must(Files().read_value(folder + "device/serial").value_or("") == disk.serial,
         "so is its serial");
    must(Files().read_value(folder + "device/nodename").value_or("") == disk.xen,
         "and its node in Xen's store");
    // A mount that is overlooked is a disk in use that is taken for free.
    std::vector<DeviceNumber> numbers{*number};
    for (const auto& partition : disk.partitions) {
        const auto part = number_in(folder + partition + "/dev");
        must(part.has_value(), "the partitions of a known disk have numbers");
        numbers.push_back(*part);
    }
    const auto mounts = parse_mountinfo(Files().read("/proc/self/mountinfo").value_or(""));
    must(mounts.has_value(), "disks are known only with their mounts");
    for (const auto& mount : *mounts) {
        if (std::ranges::find(numbers, DeviceNumber{mount.major, mount.minor}) == numbers.end()) {
            continue;
        }
        must(std::ranges::find(disk.mounts, mount.target) != disk.mounts.end(),
             "all of its mounts are known");
    }
}

void try_out(std::string_view text) {
    make_tree(text);
    FuzzedKernel kernel;
    const auto disks = probes::read_disks(Files(), kernel);
    if (!disks) return must(!disks.error().message.empty(), "an error says what is wrong");
    const auto swaps = probes::parse_swaps(Files().read("/proc/swaps").value_or(""));
    for (const auto& disk : *disks) {
        must(!disk.name.empty() && disk.node == "/dev/" + disk.name, "a disk has a node");
        must(!disk.name.starts_with("dm-") && !disk.name.starts_with("md"), "no stacked ones");
        if (!disk.unknown.empty()) continue;
        must_be_known(disk);
        must(disk.swap || std::ranges::find(swaps, disk.node) == swaps.end(), "swap is known");
    }
    must(std::ranges::is_sorted(*disks, {}, &Disk::name), "disks are sorted");
    must(std::ranges::adjacent_find(*disks, {}, &Disk::name) == disks->end(), "each is there once");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
