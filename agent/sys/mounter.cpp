#include "agent/sys/mounter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"

namespace muster {

namespace {

struct FlagOption {
    std::string_view name;
    unsigned long set = 0;
    unsigned long clear = 0;
};

/// mount(8)'s words for mount(2)'s flags. A later option overrides an earlier one.
constexpr std::array kFlags{
    FlagOption{"ro", MS_RDONLY, 0},
    FlagOption{"rw", 0, MS_RDONLY},
    FlagOption{"nosuid", MS_NOSUID, 0},
    FlagOption{"suid", 0, MS_NOSUID},
    FlagOption{"nodev", MS_NODEV, 0},
    FlagOption{"dev", 0, MS_NODEV},
    FlagOption{"noexec", MS_NOEXEC, 0},
    FlagOption{"exec", 0, MS_NOEXEC},
    FlagOption{"sync", MS_SYNCHRONOUS, 0},
    FlagOption{"async", 0, MS_SYNCHRONOUS},
    FlagOption{"dirsync", MS_DIRSYNC, 0},
    FlagOption{"noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME},
    FlagOption{"atime", 0, MS_NOATIME},
    FlagOption{"relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
    FlagOption{"norelatime", 0, MS_RELATIME},
    FlagOption{"strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
    FlagOption{"nostrictatime", 0, MS_STRICTATIME},
    FlagOption{"nodiratime", MS_NODIRATIME, 0},
    FlagOption{"diratime", 0, MS_NODIRATIME},
    FlagOption{"lazytime", MS_LAZYTIME, 0},
    FlagOption{"nolazytime", 0, MS_LAZYTIME},
};

/// Words for mount(8) and systemd alone, that no kernel knows.
bool is_userspace_option(std::string_view option) {
    constexpr std::array<std::string_view, 5> kWords{"defaults", "auto", "noauto", "nofail",
                                                     "_netdev"};
    return std::ranges::find(kWords, option) != kWords.end() || option.starts_with("x-") ||
           option.starts_with("comment=");
}

Result<Owner> read_owner(const std::string& owner) {
    auto passwd = Files().read("/etc/passwd", 16 << 20);
    auto group = Files().read("/etc/group", 16 << 20);
    if (!passwd || !group) { // numbers need neither
        return resolve_owner(owner, passwd.value_or(""), group.value_or(""));
    }
    return resolve_owner(owner, *passwd, *group);
}

/// Opens the folder to mount on, made where missing. Its last component may not be a link: whoever
/// can put one there would choose what gets covered.
Result<Fd> open_target(const std::string& target) {
    const auto path = std::filesystem::path(target).lexically_normal();
    if (!path.is_absolute() || path == "/") {
        return fail(Errc::malformed, "can't mount on \"" + target + "\"");
    }
    std::filesystem::path made;
    for (const auto& part : path) {
        made /= part;
        if (::mkdir(made.c_str(), 0755) != 0 && errno != EEXIST) {
            return fail_errno(errno, "can't make " + made.string());
        }
    }
    Fd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC));
    if (!fd && (errno == ENOTDIR || errno == ELOOP)) {
        return fail(Errc::conflict, target + " is a link, or no folder");
    }
    if (!fd) {
        return fail_errno(errno, "can't open " + target);
    }
    return fd;
}

/// Sets owner and mode of the mounted root, and only of that: what is opened must be on the device
/// that was just mounted.
Result<void> own_root(const MountRequest& request, dev_t device, Owner owner) {
    const Fd root(::open(request.target.c_str(), O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC));
    struct stat status{};
    if (!root || ::fstat(root.get(), &status) != 0) {
        return fail_errno(errno, "can't open the mounted " + request.target);
    }
    if (status.st_dev != device) {
        return fail(Errc::conflict, request.target + " is not on " + request.source +
                                        ", though it was mounted there a moment ago");
    }
    // Only where it differs, so that a second run, or a read-only mount, writes nothing. Owner
    // first: chown takes setuid and setgid away.
    if ((status.st_uid != owner.user || status.st_gid != owner.group) &&
        ::fchown(root.get(), owner.user, owner.group) != 0) {
        return fail_errno(errno, "can't set the owner of " + request.target);
    }
    if ((status.st_mode & 07777) != request.mode && ::fchmod(root.get(), request.mode) != 0) {
        return fail_errno(errno, "can't set the mode of " + request.target);
    }
    return {};
}

} // namespace

MountOptions parse_options(const std::vector<std::string>& options) {
    MountOptions result;
    for (const auto& option : options) {
        const auto flag = std::ranges::find(kFlags, option, &FlagOption::name);
        if (flag != kFlags.end()) {
            result.flags = (result.flags & ~flag->clear) | flag->set;
        } else if (!option.empty() && !is_userspace_option(option)) {
            result.data += (result.data.empty() ? "" : ",") + option;
        }
    }
    return result;
}

Result<void> mount_and_own(const MountRequest& request) {
    const auto owner = read_owner(request.owner); // before anything is changed
    if (!owner) {
        return fail(owner.error());
    }
    struct stat source{};
    if (::stat(request.source.c_str(), &source) != 0) {
        return fail_errno(errno, "can't find " + request.source);
    }
    if (!S_ISBLK(source.st_mode)) {
        return fail(Errc::malformed, request.source + " is no block device");
    }
    const auto target = open_target(request.target);
    if (!target) {
        return fail(target.error());
    }
    const auto options = parse_options(request.options);
    // By the open folder, not by its name: that could be something else by now.
    const auto folder = "/proc/self/fd/" + std::to_string(target->get());
    if (::mount(request.source.c_str(), folder.c_str(), request.filesystem.c_str(), options.flags,
                options.data.empty() ? nullptr : options.data.c_str()) != 0) {
        return fail_errno(errno, "can't mount " + request.source + " (" + request.filesystem +
                                     ") on " + request.target);
    }
    return own_root(request, source.st_rdev, *owner);
}

} // namespace muster
