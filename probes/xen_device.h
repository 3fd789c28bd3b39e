// The name as which Xen gave a disk to the machine, whatever the kernel calls it.
#pragma once

#include <string>
#include <string_view>

namespace muster::probes {

/// From the disk's node in Xen's store, "device/vbd/51728": "b", what stands behind "sd" and "xvd"
/// in the disk's name; "" for what is no such node. The number is one of Linux' own old device
/// numbers (Xen, docs/man/xen-vbd-interface.7). Most kernels call the disk so; SUSE's xen-blkfront
/// calls sda xvde, unless it is told sda_is_xvda=1.
[[nodiscard]] std::string xen_letters(std::string_view nodename);

} // namespace muster::probes
