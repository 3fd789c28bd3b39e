#include "agent/sys/wipe_blocks.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <thread>

#include "agent/sys/blocks.h"
#include "agent/sys/disk_content.h"

namespace muster {

namespace {

Result<void> write_zeros(const Fd& disk, const Extent& extent) {
    std::array<std::uint64_t, 2> range{extent.offset, extent.length};
    if (::ioctl(disk.get(), BLKZEROOUT, range.data()) != 0) {
        return fail_errno(errno, "can't zero " + std::to_string(extent.length) + " bytes at " +
                                     std::to_string(extent.offset));
    }
    // What goes last must not reach the disk first: the kernel flushes the disk's own cache, too.
    if (::fsync(disk.get()) != 0) {
        return fail_errno(errno, "can't flush");
    }
    return {};
}

/// The kernel keeps a partition that is open: tried for a while.
Result<Wiped> forget_partitions(const Fd& disk) {
    constexpr int tries = 50;
    constexpr auto pause = std::chrono::milliseconds(200);
    for (int i = 0; i < tries; ++i) {
        if (i > 0) {
            std::this_thread::sleep_for(pause);
        }
        if (::ioctl(disk.get(), BLKRRPART) == 0) {
            return Wiped::all;
        }
        if (errno != EBUSY) {
            return fail_errno(errno, "can't have the partitions forgotten");
        }
    }
    return Wiped::partitions_stay;
}

} // namespace

Result<Wiped> wipe_blocks(const WipeRequest& request) {
    const auto opened = open_exclusively(request.node, O_RDWR);
    if (!opened) {
        return fail(opened.error());
    }
    const Fd& disk = *opened;
    if (!disk) {
        return Wiped::in_use;
    }
    struct stat status{};
    if (::fstat(disk.get(), &status) != 0) {
        return fail_errno(errno, "can't stat");
    }
    if (!S_ISBLK(status.st_mode) || DeviceNumber{gnu_dev_major(status.st_rdev),
                                                 gnu_dev_minor(status.st_rdev)} != request.number) {
        return Wiped::other_device;
    }
    // By the descriptor: the node's name may come to mean another disk.
    const auto content = read_disk_content("/proc/self/fd/" + std::to_string(disk.get()));
    if (!content) {
        return fail(content.error());
    }
    if (*content != request.content) {
        return Wiped::other_content;
    }
    for (const auto& extent : request.extents) {
        if (auto done = write_zeros(disk, extent); !done) {
            return fail(std::move(done.error()));
        }
    }
    return request.partitioned ? forget_partitions(disk) : Wiped::all;
}

} // namespace muster
