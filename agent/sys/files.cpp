#include "agent/sys/files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBlock = 16 << 10; // on the stack, which is small where there are threads

Result<void> make_folders(const fs::path& folder) {
    fs::path path;
    for (const auto& part : folder) {
        path /= part;
        // 0755 whatever the umask: nothing more than it takes away can be given by mkdir.
        if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
            return fail_errno(errno, "can't make " + path.string());
        }
    }
    return {};
}

/// Without a trace: a read that moves the time of access is a write to the root, and `muster watch`
/// does none. Refused for the files of others to who has no CAP_FOWNER (open(2)).
Fd open_to_read(const fs::path& path, int flags) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOATIME | flags));
    if (!fd && errno == EPERM) {
        fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
    }
    return fd;
}

Result<void> write_all(int fd, std::string_view content, const std::string& what) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno(errno, "can't write " + what);
        }
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<void> sync_folder(const fs::path& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return fail_errno(errno, "can't sync " + folder.string());
    }
    return {};
}

/// A hidden file beside `target`, mode 0600, whose name is put into `path`. mkostemp: O_CREAT |
/// O_EXCL, so it never follows a link that someone left there; and of two writers of one file
/// neither renames the other's half-written one. Locked, which a kill ends: that is how
/// remove_abandoned knows which have a writer.
Result<Fd> make_temporary(const fs::path& target, std::string& path) {
    const auto pattern = target.parent_path() / ("." + target.filename().string() + ".XXXXXX");
    for (int attempts = 0; attempts < 100; ++attempts) {
        path = pattern.string();
        Fd file(::mkostemp(path.data(), O_CLOEXEC));
        if (!file) return fail_errno(errno, "can't make a file beside " + target.string());
        // Between the two calls it has no lock, and remove_abandoned may take it.
        const bool taken = ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        struct stat status{};
        if (!taken && ::fstat(file.get(), &status) == 0 && status.st_nlink > 0) return file;
    }
    return fail(Errc::conflict, "can't make a file beside " + target.string() +
                                    ": each is removed at once by another process");
}

/// Content, then sync, then the new name: a reader sees the old file or the new one. The lock is
/// held until it has that name.
Result<void> write_and_rename(const Fd& file, const fs::path& temporary, const fs::path& target,
                              std::string_view content) {
    if (auto written = write_all(file.get(), content, temporary.string()); !written) {
        return written;
    }
    if (::fsync(file.get()) != 0) {
        return fail_errno(errno, "can't sync " + temporary.string());
    }
    if (::rename(temporary.c_str(), target.c_str()) != 0) {
        return fail_errno(errno, "can't rename to " + target.string());
    }
    return sync_folder(target.parent_path());
}

} // namespace

fs::path Files::real(std::string_view path) const {
    // The relative part, since "a" / "/b" is "/b": the root would be lost.
    return root_ / fs::path(path).relative_path();
}

Result<std::string> Files::read(std::string_view path, std::size_t limit) const {
    const auto file = real(path);
    // O_NONBLOCK: someone's FIFO in our place must not hold us up.
    const Fd fd = open_to_read(file, O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        return fail_errno(errno, "can't open " + file.string());
    }
    std::string content;
    std::array<char, kBlock> block;
    for (;;) {
        // One byte more than the limit shows that there is more. st_size is no help: procfs says 0
        // and sysfs 4096, whatever the content.
        const std::size_t want = std::min(kBlock, limit + 1 - content.size());
        const ssize_t n = ::read(fd.get(), block.data(), want);
        if (n < 0 && errno != EINTR) {
            return fail_errno(errno, "can't read " + file.string());
        }
        if (n == 0) {
            return content;
        }
        content.append(block.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
        if (content.size() > limit) {
            return fail(Errc::too_large,
                        file.string() + ": more than " + std::to_string(limit) + " bytes");
        }
    }
}

Result<std::string> Files::read_value(std::string_view path) const {
    auto content = read(path);
    if (!content) {
        return content;
    }
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = content->find_first_not_of(kSpace);
    if (first == std::string::npos) {
        return std::string();
    }
    return content->substr(first, content->find_last_not_of(kSpace) - first + 1);
}

Result<std::vector<std::string>> Files::list(std::string_view path) const {
    const auto folder = real(path);
    Fd fd = open_to_read(folder, O_DIRECTORY);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fd ? ::fdopendir(fd.get()) : nullptr,
                                                      ::closedir);
    if (!entries) {
        return fail_errno(errno, "can't list " + folder.string());
    }
    (void)fd.release(); // closedir closes it
    std::vector<std::string> names;
    while (true) {
        errno = 0; // nothing else tells the end from an error
        const dirent* entry = ::readdir(entries.get());
        if (entry == nullptr && errno != 0) { // half a list is no list
            return fail_errno(errno, "can't list " + folder.string());
        }
        if (entry == nullptr) {
            break;
        }
        const std::string name = entry->d_name;
        if (name != "." && name != "..") {
            names.push_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

Result<std::string> Files::link_name(std::string_view path) const {
    const auto link = real(path);
    std::error_code error;
    const auto target = fs::read_symlink(link, error);
    if (error) {
        return fail_errno(error.value(), "can't read the link " + link.string());
    }
    return target.filename().string();
}

bool Files::exists(std::string_view path) const {
    std::error_code error;
    return fs::exists(real(path), error);
}

Result<void> Files::write(std::string_view path, std::string_view content) const {
    const auto target = real(path);
    if (auto made = make_folders(target.parent_path()); !made) {
        return made;
    }
    std::string temporary;
    auto file = make_temporary(target, temporary);
    if (!file) {
        return fail(file.error());
    }
    auto result = write_and_rename(*file, temporary, target, content);
    if (!result) {
        ::unlink(temporary.c_str());
    }
    return result;
}

void Files::remove_abandoned(std::string_view directory) const {
    for (const auto& name : list(directory).value_or(std::vector<std::string>{})) {
        if (!name.starts_with('.')) continue;
        const auto path = real(directory) / name;
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        struct stat status{};
        if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
    }
}

Result<void> Files::remove(std::string_view path) const {
    const auto file = real(path);
    if (::unlink(file.c_str()) != 0) {
        return fail_errno(errno, "can't remove " + file.string());
    }
    return {};
}

} // namespace muster
