#include "agent/sys/blocks.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/fs.h>
#include <memory>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace muster {

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::size_t kAlignment = 4096; ///< of the memory; enough for every logical sector in use
constexpr std::size_t kPiece = 128 << 10;
constexpr std::uint32_t kMaxRead = 16 << 20;

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<unsigned char, Free>;

std::uint64_t down(std::uint64_t value, std::uint64_t unit) {
    return value - value % unit;
}
std::uint64_t up(std::uint64_t value, std::uint64_t unit) {
    return down(value + unit - 1, unit);
}

Result<Buffer> allocate(std::size_t size) {
    Buffer buffer(
        static_cast<unsigned char*>(std::aligned_alloc(kAlignment, up(size, kAlignment))));
    if (!buffer) {
        return fail_errno(ENOMEM, "can't get memory for a read");
    }
    return buffer;
}

/// Reads exactly `length` bytes.
Result<void> read_whole(const BlockSource& source, std::uint64_t offset, std::size_t length,
                        unsigned char* buffer) {
    for (std::size_t had = 0; had < length;) {
        const ssize_t n =
            ::pread(source.fd.get(), buffer + had, length - had, static_cast<off_t>(offset + had));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno(errno, "read at byte " + std::to_string(offset + had));
        }
        if (n == 0) {
            return fail(Errc::malformed, "no byte " + std::to_string(offset + had) +
                                             " on a disk of " + std::to_string(source.size) +
                                             " bytes");
        }
        had += static_cast<std::size_t>(n);
    }
    return {};
}

/// The stretch, piece by piece, in one small buffer. A fresh MiB of memory is 256 page faults,
/// which can cost more than the reading (in User-Mode Linux 121 ms to look at a blank disk, now
/// 34).
template <class Use>
Result<void> read_pieces(const BlockSource& source, std::uint64_t begin, std::uint64_t end,
                         Use use) {
    const auto buffer = allocate(kPiece);
    if (!buffer) {
        return fail(buffer.error());
    }
    while (begin < end) {
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, end - begin));
        if (auto done = read_whole(source, begin, length, buffer->get()); !done) {
            return done;
        }
        const auto* bytes = static_cast<const char*>(static_cast<const void*>(buffer->get()));
        use(std::string_view(bytes, length));
        begin += length;
    }
    return {};
}

Result<std::string> read_range(const BlockSource& source, std::uint64_t begin, std::uint64_t end) {
    std::string text;
    text.reserve(end - begin);
    auto done = read_pieces(source, begin, end, [&](std::string_view piece) { text += piece; });
    if (!done) {
        return fail(std::move(done.error()));
    }
    return text;
}

bool is_zero(std::string_view piece) {
    return piece.find_first_not_of('\0') == std::string_view::npos;
}

/// Reads all of it, whatever it finds: an error further on must not go unseen. FNV-1a of what is
/// not zero, with its place; `digest` is that of what was read before, 0 for zeros only.
Result<std::uint64_t> digest_range(const BlockSource& source, std::uint64_t begin,
                                   std::uint64_t end, std::uint64_t digest) {
    constexpr std::uint64_t basis = 0xcbf29ce484222325;
    constexpr std::uint64_t prime = 0x100000001b3;
    std::uint64_t offset = begin;
    auto done = read_pieces(source, begin, end, [&](std::string_view piece) {
        if (!is_zero(piece)) {
            digest = ((digest == 0 ? basis : digest) ^ offset) * prime;
            for (const char c : piece) {
                digest = (digest ^ static_cast<unsigned char>(c)) * prime;
            }
            digest = std::max<std::uint64_t>(digest, 1);
        }
        offset += piece.size();
    });
    if (!done) {
        return fail(std::move(done.error()));
    }
    return digest;
}

std::uint64_t end_of(const BlockSource& source) {
    return down(source.size, source.sector);
}

std::uint64_t end_of_first(const BlockSource& source) {
    return std::min(kMiB, end_of(source));
}

std::uint64_t begin_of_last(const BlockSource& source) {
    const auto end = end_of(source);
    return down(end > kMiB ? end - kMiB : 0, source.sector);
}

Result<void> measure_device(BlockSource& source, const std::string& node) {
    int sector = 0;
    if (::ioctl(source.fd.get(), BLKSSZGET, &sector) != 0 ||
        ::ioctl(source.fd.get(), BLKGETSIZE64, &source.size) != 0) {
        return fail_errno(errno, "can't ask for the size of " + node);
    }
    if (sector < 512 || sector > static_cast<int>(kAlignment) || sector % 512 != 0) {
        return fail(Errc::malformed, node + ": sectors of " + std::to_string(sector) + " bytes");
    }
    source.sector = static_cast<std::uint32_t>(sector);
    return {};
}

} // namespace

Result<BlockSource> open_blocks(const std::string& node) {
    // O_NONBLOCK: a FIFO of that name must not hold us up; it means nothing to disks.
    BlockSource source{Fd(::open(node.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT | O_NONBLOCK))};
    if (!source.fd && errno == EINVAL) {
        // No O_DIRECT: for a regular file (checked below) the page cache will do.
        source.fd = Fd(::open(node.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    }
    if (!source.fd) {
        return fail_errno(errno, "can't open " + node);
    }
    struct stat status{};
    if (::fstat(source.fd.get(), &status) != 0) {
        return fail_errno(errno, "can't stat " + node);
    }
    source.device = S_ISBLK(status.st_mode);
    if (source.device) {
        if (auto measured = measure_device(source, node); !measured) {
            return fail(std::move(measured.error()));
        }
    } else if (S_ISREG(status.st_mode)) {
        source.size = static_cast<std::uint64_t>(status.st_size);
    }
    if (source.size == 0) { // a character device, a folder, a disk without a medium
        return fail(Errc::malformed, node + " is no block device with anything in it");
    }
    return source;
}

Result<Duration> read_at(const BlockSource& source, const std::vector<std::uint64_t>& offsets,
                         std::uint32_t length) {
    if (length == 0 || length > kMaxRead) {
        return fail(Errc::malformed, "a read of " + std::to_string(length) + " bytes");
    }
    const std::size_t whole = up(length, source.sector);
    const auto buffer = allocate(whole);
    if (!buffer) {
        return fail(buffer.error());
    }
    Duration slowest{};
    for (const auto offset : offsets) {
        const auto before = std::chrono::steady_clock::now();
        if (auto done = read_whole(source, down(offset, source.sector), whole, buffer->get());
            !done) {
            return fail(std::move(done.error()));
        }
        slowest = std::max<Duration>(slowest, std::chrono::steady_clock::now() - before);
    }
    return slowest;
}

Result<Fd> open_exclusively(const std::string& node, int flags) {
    constexpr int kTries = 6;
    constexpr auto kPause = std::chrono::milliseconds(100);
    for (int i = 0; i < kTries; ++i) {
        if (i > 0) {
            std::this_thread::sleep_for(kPause);
        }
        Fd fd(::open(node.c_str(), flags | O_EXCL | O_CLOEXEC | O_NONBLOCK));
        if (fd) {
            return fd;
        }
        if (errno != EBUSY) {
            return fail_errno(errno, "can't open " + node);
        }
    }
    return Fd();
}

Result<std::string> read_beginning(const BlockSource& source, std::uint64_t length) {
    return read_range(source, 0, std::min(up(length, source.sector), end_of_first(source)));
}

Result<std::uint64_t> digest_ends(const BlockSource& source) {
    const auto first = digest_range(source, 0, end_of_first(source), 0);
    if (!first) {
        return first;
    }
    // Read whatever the first said: an I/O error here could hide a backup GPT or a RAID superblock,
    // so it must not go unseen.
    return digest_range(source, begin_of_last(source), end_of(source), *first);
}

Result<Ends> read_ends(const BlockSource& source) {
    auto first = read_beginning(source, kMiB);
    if (!first) {
        return fail(std::move(first.error()));
    }
    const auto last = digest_range(source, begin_of_last(source), end_of(source), 0);
    if (!last) {
        return fail(last.error());
    }
    return Ends{std::move(*first), *last == 0};
}

} // namespace muster
