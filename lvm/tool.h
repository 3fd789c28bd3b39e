// The one place that knows LVM's and mkfs's arguments. Pure but for `find_tool`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/command.h"
#include "agent/sys/files.h"
#include "lvm/layout.h"
#include "lvm/plan.h"

namespace muster::lvm {

/// Marks a volume group as one of ours; the second one says of which instance.
inline constexpr std::string_view owner_tag = "muster";
[[nodiscard]] std::string instance_tag(std::string_view instance_id);
/// Marks a stranger's volume group that this instance has begun to wipe, as the owner permits.
[[nodiscard]] std::string wipe_tag(std::string_view instance_id);
/// Marks a logical volume with what it was made for: "muster.filesystem=none" holds raw data of the
/// owner's, which no signature would tell.
[[nodiscard]] std::string filesystem_tag(Filesystem filesystem);

/// A logical volume has it from its creation until its filesystem was read back (or, without one,
/// until LVM has wiped its start). lvcreate commits a volume before it wipes what lies under it, so
/// after a power cut a stranger's filesystem may stand there whole.
inline constexpr std::string_view unfinished_tag = "muster.unfinished";

/// Where `name` ("lvm", "mkfs.xfs") is, among the folders that distributions use. There is no PATH:
/// `run` is root's, and starts nothing that somebody else can put in its way.
[[nodiscard]] std::optional<std::string> find_tool(const Files& files, std::string_view name);

/// Tells whether it is an old one, from what `lvm version` prints: "LVM version: 2.03.16(2) ...".
/// `malformed` where there is no such line.
[[nodiscard]] Result<bool> is_old_lvm(std::string_view version);
[[nodiscard]] Command ask_version(const LvmTool& lvm);

/// Another LVM command has LVM's own lock; nothing has been done. LVM would wait for it for ever.
[[nodiscard]] bool is_locked_out(const CommandOutput& output);

/// Every command that reads or writes groups sees `devices` and no other: a command that scans all
/// devices hangs on another one that is stuck, and the devices file of a cloned image names the
/// disks of another machine.
[[nodiscard]] Command read_report(const LvmTool& lvm, const std::vector<std::string>& devices);

/// Never with --yes or --force: with standard input closed, LVM's own question ("signature
/// detected, wipe it?") is the second refusal.
[[nodiscard]] Command create_group(const LvmTool& lvm, const std::string& group,
                                   const std::vector<std::string>& devices,
                                   const std::vector<std::string>& tags);

[[nodiscard]] Command mark_group(const LvmTool& lvm, const std::string& group,
                                 const std::vector<std::string>& devices, const std::string& tag);

/// The volume gets `unfinished_tag`. `size`: "100%VG", "100%FREE", "1073741824b". `stripes` 1 makes
/// a linear volume.
[[nodiscard]] Command create_volume(const LvmTool& lvm, const std::string& group,
                                    const std::vector<std::string>& devices,
                                    const VolumeLayout& volume, const std::string& size,
                                    unsigned stripes);

/// The group goes, with its volumes: LVM itself deactivates them, and refuses where one is in use.
/// A disk that is missing is no hindrance.
[[nodiscard]] Command remove_group(const LvmTool& lvm, const std::string& group,
                                   const std::vector<std::string>& devices);

/// The labels of disks that no group uses any more. vgcreate would take them over with their uuids,
/// by which LVM finds a group's disks: one that was missing and comes back would make the group
/// that was given up look whole.
[[nodiscard]] Command remove_labels(const LvmTool& lvm, const std::vector<std::string>& devices);

/// A volume goes; LVM refuses where it is in use.
[[nodiscard]] Command remove_volume(const LvmTool& lvm, const std::string& group,
                                    const std::vector<std::string>& devices,
                                    const std::string& volume);

/// The volumes lose `unfinished_tag`.
[[nodiscard]] Command finish_volumes(const LvmTool& lvm, const std::string& group,
                                     const std::vector<std::string>& devices,
                                     const std::vector<std::string>& volumes);
[[nodiscard]] bool is_unfinished(const LogicalVolume& volume);
/// It has a tag of `filesystem_tag`, under whatever name it stands now.
[[nodiscard]] bool is_made_by_us(const LogicalVolume& volume);

/// What a person would type for a wipe, which muster does itself (Kernel::wipe): zeros in `extent`.
[[nodiscard]] Command write_zeros(const std::string& blkdiscard, const std::string& node,
                                  const Extent& extent);

/// The kernel forgets the partitions that were on the disk.
[[nodiscard]] Command forget_partitions(const std::string& blockdev, const std::string& node);

/// These volumes and no other: an owner's own in the group may fail, or take long (thin_check).
[[nodiscard]] Command activate_volumes(const LvmTool& lvm, const std::string& group,
                                       const std::vector<std::string>& devices,
                                       const std::vector<std::string>& volumes);

/// Never forced: mkfs.xfs's own refusal is the second one. (mkfs.ext4 without a terminal asks
/// nothing: lvm/filesystem looks before.)
[[nodiscard]] Command make_filesystem(const std::string& mkfs, const VolumeLayout& volume,
                                      const std::string& node, unsigned stripes);

/// "mkfs.xfs"
[[nodiscard]] std::string mkfs_name(Filesystem filesystem);
/// "xfs", as mount(2) and libblkid call it.
[[nodiscard]] std::string to_string(Filesystem filesystem);

/// The name of a volume's device-mapper node: "muster-scratch". Dashes within a name are doubled.
[[nodiscard]] std::string mapper_name(std::string_view group, std::string_view volume);

/// What device-mapper's uuids of all a group's nodes begin with: "LVM-" and the group's uuid, which
/// LVM itself prints with dashes.
[[nodiscard]] std::string mapper_uuid(std::string_view group_uuid);
/// That beginning of a node's uuid; "" where the node is none of LVM's.
[[nodiscard]] std::string mapper_group(std::string_view node_uuid);

} // namespace muster::lvm
