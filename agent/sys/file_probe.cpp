#include "agent/sys/file_probe.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {

namespace {

constexpr const char* kName = ".muster-probe";
constexpr std::size_t kSize = 4096;
/// O_DIRECT wants memory aligned to a sector.
struct alignas(kSize) Block {
    std::array<char, kSize> bytes{};
};

/// The folder, opened so that whatever is done below is done in that very one.
Result<Fd> open_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        return fail_errno(errno, "can't make the folder " + path);
    }
    Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) {
        return fail_errno(errno, "can't open the folder " + path);
    }
    return folder;
}

/// Whatever is mounted over the folder that was meant is somebody else's.
Result<void> expect_device(const Fd& folder, DeviceNumber on) {
    struct stat facts{};
    if (::fstat(folder.get(), &facts) != 0) {
        return fail_errno(errno, "can't tell its device");
    }
    const DeviceNumber found{major(facts.st_dev), minor(facts.st_dev)};
    if (found == on) {
        return {};
    }
    return fail(Errc::conflict, "it is of the device " + std::to_string(found.major) + ":" +
                                    std::to_string(found.minor) + ", expected " +
                                    std::to_string(on.major) + ":" + std::to_string(on.minor) +
                                    ": something else is mounted over it");
}

Result<void> write_block(int folder, const Block& block) {
    // Made anew: that needs an inode and the journal, as everybody's files do, and what somebody
    // else has put there under our name is not written to.
    (void)::unlinkat(folder, kName, 0);
    const Fd file(
        ::openat(folder, kName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) {
        return fail_errno(errno, "can't make a file");
    }
    const ssize_t n = ::pwrite(file.get(), block.bytes.data(), block.bytes.size(), 0);
    if (n != static_cast<ssize_t>(block.bytes.size())) {
        return fail_errno(n < 0 ? errno : ENOSPC, "can't write");
    }
    if (::fsync(file.get()) != 0) {
        return fail_errno(errno, "can't sync");
    }
    return {};
}

Result<void> read_block(int folder, Block& block) {
    Fd file(::openat(folder, kName, O_RDONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC));
    if (!file && errno == EINVAL) { // a filesystem in memory
        file = Fd(::openat(folder, kName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!file) {
        return fail_errno(errno, "can't open what was written");
    }
    const ssize_t n = ::pread(file.get(), block.bytes.data(), block.bytes.size(), 0);
    if (n < 0) {
        return fail_errno(errno, "can't read back");
    }
    if (n != static_cast<ssize_t>(block.bytes.size())) {
        return fail(Errc::io, "only " + std::to_string(n) + " bytes were read back");
    }
    return {};
}

} // namespace

Result<Duration> write_and_read_back(const std::string& path, std::optional<DeviceNumber> on) {
    const auto before = std::chrono::steady_clock::now();
    const auto folder = open_folder(path);
    if (!folder) {
        return fail(folder.error());
    }
    if (const auto right = on ? expect_device(*folder, *on) : Result<void>{}; !right) {
        return fail(right.error(), path);
    }
    static Block written;
    static Block read;
    // Noise, so that an older block in its place is not taken for it.
    if (::getentropy(written.bytes.data(), 256) != 0) {
        return fail_errno(errno, "can't get noise");
    }
    if (auto done = write_block(folder->get(), written); !done) {
        (void)::unlinkat(folder->get(), kName, 0);
        return fail(done.error(), path);
    }
    const auto done = read_block(folder->get(), read);
    (void)::unlinkat(folder->get(), kName, 0);
    if (!done) {
        return fail(done.error(), path);
    }
    if (std::memcmp(written.bytes.data(), read.bytes.data(), kSize) != 0) {
        return fail(Errc::io, path + ": something else was read back than was written");
    }
    return std::chrono::steady_clock::now() - before;
}

} // namespace muster
