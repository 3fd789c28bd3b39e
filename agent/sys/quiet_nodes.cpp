#include "agent/sys/quiet_nodes.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"

namespace muster {

namespace {

/// SELinux gives a new node the label of the folder, and LVM may not open such a one; udev gives
/// its own the label of disks.
Result<void> copy_label(const std::string& from, const std::string& to) {
    constexpr const char* name = "security.selinux";
    std::array<char, 256> label{};
    const ssize_t size = ::lgetxattr(from.c_str(), name, label.data(), label.size());
    if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) {
        return {}; // no SELinux here
    }
    if (size < 0 ||
        ::lsetxattr(to.c_str(), name, label.data(), static_cast<std::size_t>(size), 0) != 0) {
        return fail_errno(errno, "can't give " + to + " the label of " + from);
    }
    return {};
}

Result<void> make_node(const std::string& path, const Disk& disk) {
    ::unlink(path.c_str()); // left by a run that was killed
    if (::mknod(path.c_str(), S_IFBLK | 0600, makedev(disk.major, disk.minor)) != 0) {
        return fail_errno(errno, "can't make " + path);
    }
    return copy_label(disk.node, path);
}

void announce_change(const std::string& by_number, dev_t number) {
    constexpr std::string_view what = "change";
    const auto path = by_number + "/" + std::to_string(major(number)) + ":" +
                      std::to_string(minor(number)) + "/uevent";
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file) {
        [[maybe_unused]] const auto written = ::write(file.get(), what.data(), what.size());
    }
}

} // namespace

Result<void> make_quiet_nodes(const std::string& folder, const std::vector<Disk>& disks) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail_errno(errno, "can't make " + folder);
    }
    struct stat status{};
    if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        return fail(Errc::conflict, folder + " is no folder");
    }
    for (const auto& disk : disks) {
        if (auto made = make_node(folder + "/" + disk.name, disk); !made) {
            return made;
        }
    }
    return {};
}

void drop_quiet_nodes(const std::string& folder, const std::string& by_number) {
    const auto names = Files().list(folder);
    if (!names) {
        return; // none were made
    }
    for (const auto& name : *names) {
        const auto path = folder + "/" + name;
        struct stat status{};
        if (::lstat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode)) {
            ::unlink(path.c_str());
            announce_change(by_number, status.st_rdev);
        }
    }
    ::rmdir(folder.c_str());
}

} // namespace muster
