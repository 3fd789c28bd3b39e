// What is asked of the kernel beyond reading files: blocks of a disk, signatures, mounts, space.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/disk.h"
#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster {

struct DeviceNumber {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    friend bool operator==(const DeviceNumber&, const DeviceNumber&) = default;
};

/// What is written on a disk, as far as libblkid knows, and whether the parts where signatures live
/// hold nothing but zeros.
struct DiskContent {
    std::vector<Signature> signatures;
    bool zeroed = false; ///< the first and the last MiB are zero to the byte
};

/// Space of a mounted filesystem.
struct Space {
    std::uint64_t bytes = 0;
    std::uint64_t bytes_free = 0; ///< for other users than root (f_bavail)
    std::uint64_t inodes = 0;     ///< 0 where the filesystem does not count them (btrfs, hostfs)
    std::uint64_t inodes_free = 0;
};

struct MountRequest {
    std::string source;     ///< block device
    std::string target;     ///< folder; made when missing
    std::string filesystem; ///< "xfs", "ext4"
    std::vector<std::string> options; ///< as in fstab: "noatime", "nodev" ...
    std::uint32_t mode = 0755;        ///< of the mounted filesystem's root folder
    std::string owner = "root:root";
};

/// Every call that can hang runs isolated and gives `stuck` at its deadline.
class Kernel {
  public:
    virtual ~Kernel() = default;

    /// The number of the block device at `node`. `absent`: no such node; `malformed`: not a block
    /// device.
    [[nodiscard]] virtual Result<DeviceNumber> block_device(std::string_view node) = 0;

    /// Reads `length` bytes at each of `offsets`, past the page cache (O_DIRECT), and gives how long
    /// the slowest took. `io` where the device answers with an error. The bytes themselves are not
    /// looked at.
    [[nodiscard]] virtual Result<Duration> read_blocks(std::string_view node,
                                                       const std::vector<std::uint64_t>& offsets,
                                                       std::uint32_t length,
                                                       Deadline deadline) = 0;

    /// What is on the disk, all signatures of it.
    [[nodiscard]] virtual Result<DiskContent> content(std::string_view node,
                                                      Deadline deadline) = 0;

    [[nodiscard]] virtual Result<Space> space(std::string_view path, Deadline deadline) = 0;

    /// Mounts, then sets mode and owner of the mounted root folder.
    [[nodiscard]] virtual Result<void> mount(const MountRequest& request, Deadline deadline) = 0;
};

[[nodiscard]] std::unique_ptr<Kernel> make_kernel(const Clock& clock, Isolate& isolate);

} // namespace muster
