// What is asked of the kernel beyond reading files: blocks of a disk, signatures, mounts, space.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/disk.h"
#include "agent/sys/isolate.h"
#include "agent/sys/mounts.h"
#include "agent/sys/result.h"
#include "agent/sys/uevents.h"

namespace muster {

struct DeviceNumber {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    friend bool operator==(const DeviceNumber&, const DeviceNumber&) = default;
};

/// A block device by a path. What a link leads to is what someone made it lead to.
struct DeviceNode {
    DeviceNumber number;
    bool link = false; ///< the path is a link
    friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

/// What is written on a disk, as far as libblkid knows, and whether the parts where signatures live
/// hold nothing but zeros.
struct DiskContent {
    std::vector<Signature> signatures;
    bool zeroed = false; ///< the first and the last MiB are zero to the byte
    /// A digest of both, 0 where they are zero: what tells that a disk has been written to where no
    /// signature does.
    std::uint64_t ends = 0;
    /// No label, but the header of an empty LVM metadata area at 4096: magic " LVM2 x[5A%r0N*>" at
    /// 4100 and a first raw location (at 4136, 16 bytes) of zeros. A pvcreate that was cut short
    /// leaves that, or a wipe of a label (4608 to 8192 may hold what is left of a removed group);
    /// no group is on such a disk. But for this both ends are zero.
    bool lvm_remains = false;
    /// The one signature is an LVM label whose metadata area holds no group: none was ever written
    /// there, or it was removed. The label may still say "in use", where a vgcreate was cut short.
    bool lvm_empty = false;
    /// The one signature is an ext3 or ext4, cleanly unmounted, with no file but lost+found.
    bool preformatted = false;
    friend bool operator==(const DiskContent&, const DiskContent&) = default;
};

/// A process that has a block device open.
struct Opener {
    DeviceNumber device;
    int pid = 0;
    std::string program; ///< as the kernel calls it: 15 bytes at most, printable
    bool writes = false; ///< not open for reading only
    friend bool operator==(const Opener&, const Opener&) = default;
};

struct Openers {
    std::vector<Opener> found;
    std::size_t unseen = 0; ///< processes whose descriptors the kernel does not let us see
    /// Only descriptors of nodes in /dev were followed: beyond it is a filesystem that hangs.
    bool only_dev = false;
};

/// Zeros, where the disk is still what it was.
struct WipeRequest {
    std::string node;
    DeviceNumber number;         ///< of the disk that is meant
    DiskContent content;         ///< what it must still hold
    std::vector<Extent> extents; ///< whole sectors, zeroed in this order
    bool partitioned = false;    ///< the kernel is to forget its partitions
};

enum class Wiped {
    all,
    in_use,          ///< another has it for itself; nothing was written
    other_device,    ///< the node is not that disk's; nothing was written
    other_content,   ///< it does not hold that; nothing was written
    partitions_stay, ///< zeroed, but a partition is open
};

/// Space of a mounted filesystem.
struct Space {
    std::uint64_t bytes = 0;
    std::uint64_t bytes_free = 0; ///< for other users than root (f_bavail)
    std::uint64_t inodes = 0;     ///< 0 where the filesystem does not count them (btrfs, hostfs)
    std::uint64_t inodes_free = 0;
};

/// I/O under way, to see whether a device is alive. A device that hangs gets no second reader (or
/// writer) while the first one hangs, whoever asks and has given up meanwhile: to start one is then
/// to go on waiting for the first.
class PendingIo {
  public:
    virtual ~PendingIo() = default;
    /// Whether it has ended, one way or the other; waits for that until the deadline.
    [[nodiscard]] virtual bool ended(Deadline deadline) = 0;
    /// Once it has ended: how long the slowest part took, or why it failed.
    [[nodiscard]] virtual Result<Duration> result() = 0;
};

/// What stands in a folder, as lstat tells.
struct FolderEntry {
    enum class Type { file, folder, link, other };
    std::string name; ///< raw bytes, not always UTF-8
    Type type = Type::other;
    std::uint32_t mode = 0;  ///< permissions, with the bits beyond 0777
    std::uint32_t owner = 0; ///< uid
    friend bool operator==(const FolderEntry&, const FolderEntry&) = default;
};

struct MountRequest {
    std::string source;               ///< block device
    std::string target;               ///< folder; made when missing
    std::string filesystem;           ///< "xfs", "ext4"
    std::vector<std::string> options; ///< as in fstab: "noatime", "nodev" ...
    std::uint32_t mode = 0755;        ///< of the mounted filesystem's root folder
    std::string owner = "root:root";
};

/// A configured mount point, as the machine has it.
struct MountPoint {
    std::string path;                 ///< as mountinfo has it: links resolved; it need not be there
    std::optional<Mount> mounted;     ///< what begins just there, the topmost; else none
    std::vector<std::string> entries; ///< some of what a mount would hide
    friend bool operator==(const MountPoint&, const MountPoint&) = default;
};

/// In /dev, since /run is mounted "nodev". No LVM looks into a folder with a dot that isn't told
/// to.
inline constexpr std::string_view quiet_nodes = "/dev/.muster";

/// Every call that can hang runs isolated and gives `stuck` at its deadline.
class Kernel {
  public:
    virtual ~Kernel() = default;

    /// The number of the block device at `node`. `absent`: no such node; `malformed`: not a block
    /// device.
    [[nodiscard]] virtual Result<DeviceNumber> block_device(std::string_view node) = 0;

    /// The same, and whether the path itself is a link.
    [[nodiscard]] virtual Result<DeviceNode> device_node(std::string_view path) = 0;

    /// Reads `length` bytes at each of `offsets`, past the page cache (O_DIRECT). `io` where the
    /// device answers with an error. The bytes themselves are not looked at. Offsets are rounded
    /// down to a sector, the length up; `malformed` beyond the end.
    [[nodiscard]] virtual Result<std::unique_ptr<PendingIo>>
    start_read(std::string_view node, const std::vector<std::uint64_t>& offsets,
               std::uint32_t length) = 0;

    /// Writes a file of ours, 4 KiB of noise in `folder` (made when missing, its parent is not),
    /// syncs it, reads it back past the page cache and removes it. `read_only`, `full`, `io` (also
    /// where something else is read back than was written), `denied`. `on`: the device whose
    /// filesystem the folder must be of, none for any; on another one nothing is written
    /// (`conflict`): another mount may lie over the one that was meant.
    [[nodiscard]] virtual Result<std::unique_ptr<PendingIo>>
    start_write(std::string_view folder, std::optional<DeviceNumber> on) = 0;

    /// What is on the disk, all signatures of it, backup copies too (a GPT is "PMBR", "gpt",
    /// "gpt"), but no more than 16 of one type. Whatever could not be read is an error, never "no
    /// signature". Reads regular files too.
    [[nodiscard]] virtual Result<DiskContent> content(std::string_view node, Deadline deadline) = 0;

    /// Whether somebody has the disk for himself: a filesystem is mounted from it or from a
    /// partition of it, in whatever mount namespace, it is swapped to, or md or device-mapper have
    /// it. For the blink of an eye the one who asks has it for himself.
    [[nodiscard]] virtual Result<bool> is_claimed(std::string_view node, Deadline deadline) = 0;

    /// The processes that have one of these devices open, in whatever way; from /proc, so of our
    /// own pid namespace, 16 at most. Not seen are devices that are mapped with no descriptor left,
    /// or open in the kernel alone. `unseen` counts those that we may not look into (no
    /// CAP_SYS_PTRACE). One that has just ended may still be found.
    [[nodiscard]] virtual Result<Openers> openers(const std::vector<DeviceNumber>& devices,
                                                  Deadline deadline) = 0;

    /// Zeros the extents, each flushed before the next: the disk's number and content are read, and
    /// all is written, under one exclusive open. An error may come when a part is zeroed.
    [[nodiscard]] virtual Result<Wiped> wipe(const WipeRequest& request, Deadline deadline) = 0;

    /// The name of the LVM volume group that the disk or partition says it belongs to, read from
    /// its first MiB; empty where it has no LVM label, or one of no group. `malformed` where the
    /// label does not tell: a member may have no metadata area, or one that is ignored.
    [[nodiscard]] virtual Result<std::string> volume_group(std::string_view node,
                                                           Deadline deadline) = 0;

    /// The 4096 bytes of NVMe Identify Controller (admin command 06h, CNS 1), asked of the
    /// namespace's node opened read-only. `denied` without CAP_SYS_ADMIN, `malformed` for what is
    /// no NVMe disk.
    [[nodiscard]] virtual Result<std::string> identify(std::string_view node,
                                                       Deadline deadline) = 0;

    /// The first `length` bytes (a multiple of 4, 4096 at most) of an NVMe log page (admin command
    /// 02h). Errors as of `identify`; `io` with the controller's status where it has no such page.
    [[nodiscard]] virtual Result<std::string> log_page(std::string_view node, std::uint8_t page,
                                                       std::uint32_t length, Deadline deadline) = 0;

    /// The records of the kernel's log since boot, as far as it still has them: raw ones of
    /// /dev/kmsg (Documentation/ABI/testing/dev-kmsg), 8 KiB each and 20,000 of them at most, the
    /// newest. Memory of the kernel's own, so nothing here can hang.
    [[nodiscard]] virtual Result<std::vector<std::string>> log_records() = 0;

    [[nodiscard]] virtual Result<Space> space(std::string_view path, Deadline deadline) = 0;

    /// The entries of a folder, by name, with the folder itself first as "."; links are not
    /// followed, but for the folder's own path. `absent`: there is no such thing; `malformed`: it
    /// is no folder; `too_large` beyond 1024 entries.
    [[nodiscard]] virtual Result<std::vector<FolderEntry>> folder(std::string_view path,
                                                                  Deadline deadline) = 0;

    /// Nodes of our own for these disks, in `quiet_nodes`, by kernel name: of what is written
    /// through them udev learns when they are dropped. `denied` without CAP_MKNOD.
    [[nodiscard]] virtual Result<void> make_quiet_nodes(const std::vector<Disk>& disks) = 0;
    /// All of them go, those of a run that was killed too, and udev is told that each disk has
    /// changed; where that fails it learns so at the next change.
    virtual void drop_quiet_nodes() = 0;

    /// From now on.
    [[nodiscard]] virtual std::unique_ptr<BlockWatch> watch_blocks() = 0;

    /// Where a mount point leads. `conflict`: over a link that others than root can change.
    [[nodiscard]] virtual Result<MountPoint> mount_point(std::string_view target,
                                                         Deadline deadline) = 0;

    /// Mounts, then sets mode and owner of the mounted root folder. A bad owner, source or target
    /// is refused before anything is done, as by `mount_point`. Where the device is mounted there
    /// already that is all; what can't be finished is unmounted again.
    [[nodiscard]] virtual Result<void> mount(const MountRequest& request, Deadline deadline) = 0;
};

[[nodiscard]] std::unique_ptr<Kernel> make_kernel(const Clock& clock, Isolate& isolate);

} // namespace muster
