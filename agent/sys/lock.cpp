#include "agent/sys/lock.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "agent/sys/files.h"

namespace muster {

namespace {

constexpr Duration kPause = std::chrono::milliseconds(50);

Result<int> open_lock(const std::string& path) {
    // The run folder is on a tmpfs: the first run after a boot makes it.
    const auto folder = std::filesystem::path(path).parent_path();
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
        return fail_errno(errno, "can't make " + folder.string());
    }
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fail_errno(errno, "can't open the lock " + path);
    }
    return fd;
}

/// True: it is ours now. False: someone else's.
Result<bool> try_lock(int fd, const std::string& path) {
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return false;
        }
        if (errno != EINTR) {
            return fail_errno(errno, "can't lock " + path);
        }
    }
    return true;
}

/// For people only; nothing is decided by it.
void write_pid(int fd) {
    const auto text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) == 0) {
        [[maybe_unused]] const auto n = ::pwrite(fd, text.data(), text.size(), 0);
    }
}

} // namespace

Lock::~Lock() {
    if (fd_ >= 0) {
        ::close(fd_); // the file stays: removing it would let two hold "the" lock
    }
}

Lock::Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Lock& Lock::operator=(Lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

Result<Lock> Lock::take(const std::string& path) {
    auto fd = open_lock(path);
    if (!fd) {
        return fail(std::move(fd.error()));
    }
    Lock lock(*fd);
    auto ours = try_lock(*fd, path);
    if (!ours) {
        return fail(std::move(ours.error()));
    }
    if (!*ours) {
        const auto holder = Files().read_value(path).value_or("");
        return fail(Errc::conflict,
                    path + " is held by process " + (holder.empty() ? "(not known)" : holder));
    }
    write_pid(*fd);
    return lock;
}

Result<void> Lock::wait_until_free(const std::string& path, Clock& clock, Deadline deadline) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        return {};
    }
    if (fd < 0) {
        return fail_errno(errno, "can't open the lock " + path);
    }
    const Lock lock(fd);
    for (;;) {
        const auto ours = try_lock(fd, path);
        if (!ours) {
            return fail(ours.error());
        }
        if (*ours) {
            return {}; // and given back at once
        }
        if (deadline.passed(clock)) {
            return fail(Errc::stuck, path + " is still held");
        }
        clock.sleep_until(std::min(clock.now() + kPause, deadline.at));
    }
}

} // namespace muster
