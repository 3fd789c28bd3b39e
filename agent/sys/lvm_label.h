// What LVM has written at a disk's beginning, read without asking LVM: its own tools must not be
// let loose on disks that are not ours, and say nothing of a metadata area without a group. Pure;
// private to sys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/sys/result.h"

namespace muster {

struct LvmLabel {
    /// The disk has a metadata area and there is no group in it: its header is whole and its first
    /// raw location is zero, with its flags (an area that is only ignored has a flag there). Before
    /// the first vgcreate and after a vgremove it is so.
    bool empty_area = false;
    /// Name of the group that the metadata area holds; empty where there is none, or no such area
    /// (pvcreate --pvmetadatacopies 0).
    std::string group;
};

/// `disk`: the first MiB, or as much as there is. Nothing where no label is among the first four
/// sectors. `malformed` where there is one that can't be followed: a damaged header, an area or a
/// text beyond what was given.
///
/// The layout is LVM2's (lib/format_text/layout.h, lib/label/label.h), all of it little-endian.
[[nodiscard]] Result<std::optional<LvmLabel>> read_lvm_label(std::string_view disk);

} // namespace muster
