// Reads past the page cache. They can hang for ever: only for a helper of isolate. Private to sys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/fd.h"
#include "agent/sys/result.h"

namespace muster {

/// A block device (or, for tests and images, a regular file), open for reading only.
struct BlockSource {
    Fd fd; ///< O_DIRECT, where a regular file's filesystem has it
    std::uint64_t size = 0;
    std::uint32_t sector = 512; ///< logical, bytes
    bool device = true;
};

[[nodiscard]] Result<BlockSource> open_blocks(const std::string& node);

/// `length` bytes at each of `offsets`; how long the slowest took. Offsets are rounded down to a
/// sector, the length up.
[[nodiscard]] Result<Duration>
read_at(const BlockSource& source, const std::vector<std::uint64_t>& offsets, std::uint32_t length);

/// The parts of a disk where signatures live.
struct Ends {
    std::string first;      ///< the first MiB, or all there is
    bool last_zero = false; ///< the last MiB is zero to the byte
};

[[nodiscard]] Result<Ends> read_ends(const BlockSource& source);

/// Of both, without the memory that `read_ends` needs: 0 where they are zero to the byte, else a
/// number that another content has hardly ever (64 bits).
[[nodiscard]] Result<std::uint64_t> digest_ends(const BlockSource& source);

/// Opened with O_EXCL, which for a block device means: by nothing else that asks for that. No
/// descriptor where another has it so (EBUSY), and does not let go within half a second, as a
/// probing program does.
[[nodiscard]] Result<Fd> open_exclusively(const std::string& node, int flags);

/// The first `length` bytes, or all there is of the first MiB.
[[nodiscard]] Result<std::string> read_beginning(const BlockSource& source, std::uint64_t length);

} // namespace muster
