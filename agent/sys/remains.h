// What a tool that was killed in the middle leaves on a disk. Pure; private to sys.
#pragma once

#include <string_view>

#include "agent/sys/blocks.h"

namespace muster {

/// See DiskContent::lvm_remains. Since that lets a disk be written, it is read narrowly: apart from
/// the empty header both ends of the disk are zero.
[[nodiscard]] bool is_cut_short_pvcreate(const Ends& ends);

/// See DiskContent::preformatted: the fields of struct ext4_super_block that say so.
[[nodiscard]] bool is_empty_ext(const Ends& ends);

} // namespace muster
