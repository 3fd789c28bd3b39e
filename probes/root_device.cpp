#include "probes/root_device.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace muster::probes {

Result<Mount> root_mount(const Files& files) {
    const auto text = files.read("/proc/self/mountinfo", 4 << 20);
    if (!text) return fail(text.error());
    const auto mounts = parse_mountinfo(*text);
    if (!mounts) return fail(mounts.error());
    // The last one at "/" is the one in force: an initramfs leaves its own below it.
    const auto root = std::find_if(mounts->rbegin(), mounts->rend(),
                                   [](const Mount& mount) { return mount.target == "/"; });
    if (root == mounts->rend()) return fail(Errc::absent, "mountinfo names no mount at /");
    return *root;
}

std::optional<RootDevice> root_device(const Files& files, const Mount& mount) {
    auto name = files.link_name(fmt::format("/sys/dev/block/{}:{}", mount.major, mount.minor));
    // btrfs has a number of its own, and the device only in its name.
    if (!name && mount.source.starts_with("/dev/")) name = mount.source.substr(5);
    if (!name) return std::nullopt;
    const auto text = files.read_value("/sys/class/block/" + *name + "/size");
    if (!text) return std::nullopt;
    std::uint64_t sectors = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), sectors);
    constexpr std::uint64_t most = std::uint64_t{1} << 54; // times 512 it still fits
    if (error != std::errc() || sectors == 0 || sectors > most) return std::nullopt;
    return RootDevice{.name = *name, .size = sectors * 512};
}

} // namespace muster::probes
