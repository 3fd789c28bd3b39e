// What the owner wants made of the ephemeral disks.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace muster::lvm {

/// A share of the volume group: "100%" of all its extents, in whole percents.
struct Percent {
    unsigned value = 100;
    friend bool operator==(const Percent&, const Percent&) = default;
};

enum class Layout { linear, striped };
enum class Filesystem { xfs, ext4, none };

struct VolumeLayout {
    std::string name;                                      ///< of the logical volume
    std::variant<Percent, std::uint64_t> size = Percent{}; ///< or bytes
    Layout layout = Layout::striped;
    std::uint64_t stripe_size = 256 << 10; ///< bytes
    Filesystem filesystem = Filesystem::xfs;
    std::string mount = "/mnt/scratch"; ///< "" where filesystem is none
    std::vector<std::string> options = {"noatime"};
    std::uint32_t mode = 01777;
    std::string owner = "root:root";
};

struct GroupLayout {
    std::string volume_group = "muster";
    std::vector<VolumeLayout> volumes;
};

} // namespace muster::lvm
