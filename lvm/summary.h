// What a program said when it failed, in a line. Pure.
#pragma once

#include <string>
#include <string_view>

namespace muster::lvm {

/// The cause, from what LVM, mkfs or blkdiscard wrote to standard error: its first lines that are
/// no warnings, then the first warning that may tell why. What LVM says every time, hints and usage
/// are left out. 600 bytes at most; "it did not say why" where nothing is left.
[[nodiscard]] std::string summary(std::string_view text);

} // namespace muster::lvm
