#include "agent/sys/quiet_nodes.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"

namespace muster {

namespace {

Result<void> make_node(int folder, const Disk& disk) {
    ::unlinkat(folder, disk.name.c_str(), 0); // left by a run that was killed
    const auto number = makedev(disk.major, disk.minor);
    if (::mknodat(folder, disk.name.c_str(), S_IFBLK | 0600, number) != 0) {
        return fail_errno(errno, "can't make a node for " + disk.name);
    }
    return {};
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
    const Fd open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!open) {
        return fail(Errc::conflict, folder + " is no folder");
    }
    for (const auto& disk : disks) {
        if (auto made = make_node(open.get(), disk); !made) {
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
