// Plain values that describe a disk, as the kernel sees it. Filled by probes/block_devices, used by
// lvm and agent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster {

/// Something that says "this disk is in use for that": a filesystem, a partition table, an LVM
/// label, a RAID member, swap, an encrypted container.
struct Signature {
    std::string type;         ///< libblkid's name: "ext4", "xfs", "swap", "LVM2_member", "gpt" ...
    std::string usage;        ///< "filesystem", "raid", "crypto", "other", "partition table"
    std::string label;        ///< as written on the disk; may be empty
    std::string uuid;         ///< may be empty
    std::uint64_t offset = 0; ///< of the magic bytes
    friend bool operator==(const Signature&, const Signature&) = default;
};

/// A stretch of a disk, in bytes.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    friend bool operator==(const Extent&, const Extent&) = default;
};

/// One whole disk (not a partition, not a device-mapper node).
struct Disk {
    std::string name; ///< the kernel's: "nvme1n1", "xvdb"
    std::string node; ///< the path to open: "/dev/nvme1n1"
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint64_t size = 0;        ///< bytes
    std::uint32_t sector_size = 0; ///< logical, bytes
    std::string model;             ///< trimmed; empty where the disk has none (Xen)
    std::string serial;            ///< trimmed; empty where it has none
    std::string xen;               ///< its node in Xen's store: "device/vbd/51728"; may be empty
    bool read_only = false;
    std::vector<std::string> partitions; ///< kernel names
    std::vector<std::string> holders;    ///< kernel names of what is stacked on it: "dm-0", "md0"
    std::vector<std::string> mounts;     ///< mount points of it or of its partitions
    bool swap = false;                   ///< it or one of its partitions is swapped to
    /// What could not be read about it, with why. A disk with anything here is never written to.
    std::vector<std::string> unknown;
    friend bool operator==(const Disk&, const Disk&) = default;
};

} // namespace muster
