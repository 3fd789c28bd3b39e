#include "agent/sys/mounter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"
#include "agent/sys/mount_point.h"

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

bool is_on(const Mount& mount, dev_t device) {
    return mount.root == "/" && gnu_dev_makedev(mount.major, mount.minor) == device;
}

/// Whether the mount point leads to the mounted device now; `folder` is that mount's root then.
Result<bool> leads_to(const FoundFolder& found, dev_t device) {
    if (!found.folder) return false;
    const auto read = mounted_at(found.folder);
    if (!read) return fail(read.error());
    const std::optional<Mount>& mounted = *read;
    return mounted && is_on(*mounted, device);
}

/// Sets owner and mode of the mounted root.
Result<void> own_root(const MountRequest& request, const Fd& folder, Owner owner) {
    const Fd root(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status{};
    if (!root || ::fstat(root.get(), &status) != 0) {
        return fail_errno(errno, "can't open the mounted " + request.target);
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

/// A failure of the mount point's own filesystem is none of the device's.
std::unexpected<Error> blame_target(const MountRequest& request, Error error) {
    if (error.code == Errc::io) error.code = Errc::conflict;
    return fail(error, "the mount point " + request.target);
}

/// What is mounted at the mount point now is the device, and it gets its owner and mode.
Result<void> take_over(const MountRequest& request, dev_t device, Owner owner) {
    const auto now = find_folder(request.target, IfMissing::leave);
    if (!now) return blame_target(request, now.error());
    const auto there = leads_to(*now, device);
    if (!there) return blame_target(request, there.error());
    if (*there) return own_root(request, now->folder, owner);
    return fail(Errc::conflict, request.target + " leads elsewhere than to the mounted " +
                                    request.source + ": it has changed meanwhile");
}

/// By the folder that was mounted on, wherever that is now.
std::string path_by(const Fd& folder) {
    return "/proc/self/fd/" + std::to_string(folder.get());
}

/// Takes our own mount away from the folder that it covers; says what is left if it can't.
std::string undo(const Fd& covered, dev_t device) {
    const auto path = path_of(covered);
    const auto text = Files().read("/proc/self/mountinfo", 4 << 20);
    const auto mounts = text ? parse_mountinfo(*text) : fail(text.error());
    if (!path || !mounts) return "; it may still be mounted";
    const auto top = std::ranges::find(mounts->rbegin(), mounts->rend(), *path, &Mount::target);
    if (top == mounts->rend() || !is_on(*top, device)) {
        return "; it is still mounted, and another mount lies over it at " + *path;
    }
    if (::umount2(path_by(covered).c_str(), MNT_DETACH) != 0) {
        return "; it is still mounted at " + *path + ", umount: " + std::strerror(errno);
    }
    return "; unmounted again";
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
    const auto target = find_folder(request.target, IfMissing::make);
    if (!target) {
        return blame_target(request, target.error());
    }
    const auto read = mounted_at(target->folder);
    if (!read) {
        return blame_target(request, read.error());
    }
    const std::optional<Mount>& before = *read;
    if (before && is_on(*before, source.st_rdev)) { // fstab was quicker
        return own_root(request, target->folder, *owner);
    }
    if (before && !before->automount) {
        return fail(Errc::conflict,
                    before->source + " is mounted at " + request.target + " already");
    }
    const auto options = parse_options(request.options);
    // By the open folder, not by its name: that could be something else by now.
    if (::mount(request.source.c_str(), path_by(target->folder).c_str(), request.filesystem.c_str(),
                options.flags, options.data.empty() ? nullptr : options.data.c_str()) != 0) {
        const int error = errno;
        // The kernel refuses the same device at the same place: another program has just done it.
        if (error == EBUSY && take_over(request, source.st_rdev, *owner)) return {};
        return fail_errno(error, "can't mount " + request.source + " (" + request.filesystem +
                                     ") on " + request.target);
    }
    auto taken = take_over(request, source.st_rdev, *owner);
    if (!taken) taken.error().message += undo(target->folder, source.st_rdev);
    return taken;
}

} // namespace muster
