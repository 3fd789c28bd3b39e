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

/// What to do about a disk that holds something that is not ours.
enum class ForeignData {
    refuse,
    wipe_preformatted, ///< a lone, empty ext3 or ext4, as some Xen instance types are delivered
    wipe,
};

/// What to do about our own group with a disk missing, on the same instance.
enum class PartialGroup { fail, rebuild };

struct GroupLayout {
    std::string volume_group = "muster";
    ForeignData on_foreign_data = ForeignData::refuse;
    PartialGroup on_partial = PartialGroup::fail;
    std::vector<VolumeLayout> volumes;
};

} // namespace muster::lvm
