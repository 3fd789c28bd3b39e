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

constexpr std::size_t most_openers = 16;

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

bool is_forbidden(int error) {
    return error == EACCES || error == EPERM;
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
            result_.unseen += is_forbidden(errno) ? 1 : 0; // else it has ended
            return;
        }
        while (const char* descriptor = next_number(descriptors.get())) {
            if (!look_at(::dirfd(descriptors.get()), descriptor, process, pid)) {
                ++result_.unseen;
                return;
            }
        }
        result_.unseen += is_forbidden(errno) ? 1 : 0;
    }

    Openers result() { return std::move(result_); }

  private:
    /// False where the kernel does not let us see it.
    bool look_at(int directory, const char* descriptor, const std::string& process,
                 std::string_view pid) {
        std::array<char, 16> path{};
        const auto length = ::readlinkat(directory, descriptor, path.data(), path.size());
        if (length < 0) {
            return !is_forbidden(errno); // closed meanwhile
        }
        // "socket:[1234]" is no file.
        const std::string_view begin(path.data(), static_cast<std::size_t>(length));
        if (!begin.starts_with(only_dev_ ? "/dev/" : "/")) {
            return true;
        }
        struct statx status{};
        if (::statx(directory, descriptor, AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0 ||
            !S_ISBLK(status.stx_mode)) {
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
        const auto same = std::ranges::find_if(result_.found, [&](const Opener& one) {
            return one.pid == opener.pid && one.device == number;
        });
        if (same != result_.found.end()) {
            same->writes = same->writes || writes;
            return;
        }
        if (result_.found.size() >= most_openers) {
            return;
        }
        opener.program = program_name(process);
        result_.found.push_back(std::move(opener));
    }

    const std::vector<DeviceNumber>& devices_;
    bool only_dev_;
    Openers result_;
};

} // namespace

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
