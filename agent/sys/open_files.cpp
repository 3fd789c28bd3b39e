#include "agent/sys/open_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"

namespace muster {

namespace {

constexpr std::ptrdiff_t most_of_device = 8;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// Empty, with errno, where it cannot be opened.
Directory open_directory(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return nullptr;
    }
    Directory directory(::fdopendir(fd.get()));
    if (directory) {
        static_cast<void>(fd.release());
    }
    return directory;
}

/// The next name that is a number; null at the end, where errno is 0, or on an error.
const char* next_number(DIR* directory) {
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(directory);
        if (entry == nullptr) {
            return nullptr;
        }
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') {
            return entry->d_name;
        }
    }
}

/// A process that has ended, or a descriptor that was closed, since it was listed.
bool has_gone(int error) {
    return error == ENOENT || error == ESRCH;
}

std::string program_name(const std::string& process) {
    auto name = Files().read_value(process + "/comm").value_or("a program");
    std::ranges::replace_if(name, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
    return name;
}

class Search {
  public:
    Search(const std::vector<DeviceNumber>& devices, bool only_dev)
        : devices_(devices), only_dev_(only_dev) {
        result_.only_dev = only_dev;
    }

    void look_at_process(const std::string& process, std::string_view pid) {
        const auto descriptors = open_directory(process + "/fd");
        if (!descriptors) {
            result_.unseen += has_gone(errno) ? 0 : 1;
            return;
        }
        while (const char* descriptor = next_number(descriptors.get())) {
            if (!look_at(::dirfd(descriptors.get()), descriptor, process, pid)) {
                ++result_.unseen;
                return;
            }
        }
        result_.unseen += errno == 0 || has_gone(errno) ? 0 : 1;
    }

    Openers result() { return std::move(result_); }

  private:
    /// False where that can't be seen.
    bool look_at(int directory, const char* descriptor, const std::string& process,
                 std::string_view pid) {
        std::array<char, 16> path{};
        const auto length = ::readlinkat(directory, descriptor, path.data(), path.size());
        if (length < 0) {
            return has_gone(errno);
        }
        // Sockets and pipes have no path: "socket:[1234]".
        const std::string_view begin(path.data(), static_cast<std::size_t>(length));
        if (!begin.starts_with(only_dev_ ? "/dev/" : "/")) {
            return true;
        }
        struct statx status{};
        if (::statx(directory, descriptor, AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0) {
            // Another error is that of the file's own filesystem (ESTALE): it is no node in /dev.
            return errno != EPERM && errno != EACCES && errno != ENOSYS;
        }
        if (!S_ISBLK(status.stx_mode)) {
            return true;
        }
        const DeviceNumber number{status.stx_rdev_major, status.stx_rdev_minor};
        if (std::ranges::find(devices_, number) != devices_.end()) {
            add(number, writes(directory, descriptor), process, pid);
        }
        return true;
    }

    /// The kernel shows in the link's own mode what the descriptor was opened for.
    static bool writes(int directory, const char* descriptor) {
        struct stat status{};
        return ::fstatat(directory, descriptor, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
               (status.st_mode & S_IWUSR) != 0;
    }

    void add(const DeviceNumber& number, bool writes, const std::string& process,
             std::string_view pid) {
        Opener opener{.device = number, .writes = writes};
        std::from_chars(pid.data(), pid.data() + pid.size(), opener.pid);
        opener.program = program_name(process);
        keep_opener(result_.found, std::move(opener));
    }

    const std::vector<DeviceNumber>& devices_;
    bool only_dev_;
    Openers result_;
};

} // namespace

void keep_opener(std::vector<Opener>& found, Opener opener) {
    const auto same = std::ranges::find_if(found, [&](const Opener& one) {
        return one.pid == opener.pid && one.device == opener.device;
    });
    if (same != found.end()) {
        same->writes = same->writes || opener.writes;
        return;
    }
    if (std::ranges::count(found, opener.device, &Opener::device) < most_of_device) {
        found.push_back(std::move(opener));
        return;
    }
    const auto reader = std::ranges::find_if(
        found, [&](const Opener& one) { return one.device == opener.device && !one.writes; });
    if (opener.writes && reader != found.end()) {
        *reader = std::move(opener);
    }
}

Result<Openers> find_openers(const std::string& proc, const std::vector<DeviceNumber>& devices,
                             bool only_dev) {
    const auto processes = open_directory(proc);
    if (!processes) {
        return fail_errno(errno, "can't list " + proc);
    }
    Search search(devices, only_dev);
    while (const char* pid = next_number(processes.get())) {
        search.look_at_process(std::string(proc).append("/").append(pid), pid);
    }
    if (errno != 0) {
        return fail_errno(errno, "can't list " + proc);
    }
    return search.result();
}

} // namespace muster
