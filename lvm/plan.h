// What to do about the ephemeral disks, and why. Pure: from what was found to a list of steps.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/sys/disk.h"
#include "agent/sys/kernel.h"
#include "lvm/layout.h"
#include "lvm/report.h"

namespace muster::lvm {

/// A disk that is positively ephemeral, and what is on it.
struct Candidate {
    Disk disk;
    std::string evidence; ///< why it counts as ephemeral
    DiskContent content;
    /// Somebody has it for himself, though nothing that can be seen here uses it.
    bool claimed = false;
    /// Programs that have it or a partition of it open, unclaimed; without readers of a blank one.
    std::vector<Opener> openers{};
};

/// A disk or partition that is not ephemeral and belongs to a volume group.
struct GroupElsewhere {
    std::string node;
    std::string name;
};

/// A node that device-mapper has now, of our group or under its name.
struct ActiveVolume {
    std::string node; ///< "/dev/dm-0"
    DeviceNumber number;
    std::string uuid; ///< device-mapper's: "LVM-" + group uuid + volume uuid, without dashes
    std::uint64_t size = 0;
    /// Kernel names of what it lies on, down through the layers of its own group; empty where that
    /// was taken away.
    std::vector<std::string> disks;
    DiskContent content;             ///< read of the layout's volumes alone, where they are ours
    std::vector<std::string> mounts; ///< where it is mounted
    std::string mounted_as;          ///< "xfs"; empty where it is not mounted
};

/// The machine's LVM.
struct LvmTool {
    std::string path = "lvm";
    /// Before 2.03.12: it has neither --devices nor --setautoactivation. A filter in --config
    /// serves for the one, the volumes' activation skip flag for the other.
    bool old = false;
    /// Where the disks' nodes are that it is given, whatever names the plan has.
    std::string nodes = "/dev";
};

/// Where a wanted mount point leads.
struct WantedPoint {
    std::string path;                 ///< as the kernel has it, without links
    std::string problem;              ///< why that can't be told; then nothing is mounted there
    std::vector<std::string> entries; ///< some of what a mount there hides
};

/// All that the plan is made from.
struct Situation {
    std::string instance_id;
    GroupLayout layout;
    std::optional<LvmTool> lvm_tool; ///< none: LVM is not installed
    std::vector<Candidate> candidates;
    Report lvm;                                 ///< of those candidates that carry an LVM label
    std::map<std::string, ActiveVolume> active; ///< by device-mapper name
    /// Read only where no group is ours and whole.
    std::vector<GroupElsewhere> elsewhere;
    bool elsewhere_unknown = false; ///< a disk of those could not be read
    /// The folder of the group's links in /dev is there: LVM makes no group of that name then.
    bool group_folder = false;
    /// A disk that is missing may still come: nothing is given up yet.
    bool may_be_late = false;
    std::vector<std::string> notes{};
    /// Wanted mount point -> what is mounted there, on top, and is not the volume that we want.
    std::map<std::string, std::string> mounted_on;
    std::map<std::string, WantedPoint> points{}; ///< by wanted mount point
};

/// Zeros where signatures live, so that nobody takes the disk for what it was.
struct WipeDisk {
    Disk disk;
    DiskContent content; ///< as it was seen; it must still be so when the step is taken
    std::string why;     ///< what is on the disk, and why it may go
};
/// A stranger's group over several disks, all of which are to be wiped: it gets `wipe_tag`. When
/// the power goes in between, what is left looks like a group that reaches beyond these disks.
struct MarkGroup {
    std::string group;
    std::vector<std::string> devices;
};
/// Gives up our own group, of which a disk is missing; its data went with that disk.
struct RemoveGroup {
    std::vector<std::string> devices; ///< those that are here
    std::string why;
};
struct CreateGroup {
    std::vector<std::string> devices;
};
/// A volume of ours that was never finished (`unfinished_tag`): nothing that lies on it counts.
struct RemoveVolume {
    std::string volume;
};
/// The volume is born unfinished.
struct CreateVolume {
    VolumeLayout volume;
    std::string size; ///< as lvcreate takes it
    unsigned stripes = 1;
};
struct ActivateGroup {
    std::vector<std::string> volumes; ///< those that must be there afterwards
};
/// On a volume that was just created.
struct MakeFilesystem {
    VolumeLayout volume;
    unsigned stripes = 1;
};
/// From now on what lies on these volumes counts.
struct FinishVolumes {
    std::vector<std::string> volumes;
};
/// A finished volume that was not active when the plan was made: what it carries is read now.
struct CheckFilesystem {
    VolumeLayout volume;
};
struct MountVolume {
    VolumeLayout volume;
};
using Step =
    std::variant<MarkGroup, WipeDisk, RemoveGroup, CreateGroup, RemoveVolume, CreateVolume,
                 ActivateGroup, MakeFilesystem, FinishVolumes, CheckFilesystem, MountVolume>;

struct Refusal {
    std::string subject; ///< the disk, volume or mount point
    std::string reason;  ///< reason code
    std::string message;
};

struct Plan {
    std::string group;
    std::string group_uuid; ///< LVM's; empty where a step makes the group
    std::string instance_id;
    std::optional<LvmTool> lvm;        ///< none: LVM is not installed
    std::vector<std::string> devices;  ///< nodes of all the group's disks
    std::vector<Disk> disks;           ///< the same, for the check before each write
    std::vector<DiskContent> contents; ///< what was on each of them
    std::vector<Step> steps;
    std::vector<Refusal> refusals; ///< if there is any, no step is taken
    std::vector<std::string> notes;
    std::vector<Refusal> warnings; ///< for the report, and no obstacle
    /// Every disk is proved blank, or ours with no finished volume: a new instance loses nothing.
    bool without_data = false;
    /// A disk of our group is not here and may be on its way: look again before this is the end.
    bool wait_for_more = false;
};

[[nodiscard]] Plan make_plan(const Situation& situation);

/// The filesystem's signature stands where its superblock belongs. Others beside it are no matter:
/// md 1.0 keeps its own in the last 8 KiB, where a filesystem leaves it.
[[nodiscard]] bool carries(const DiskContent& content, Filesystem filesystem);

/// A finished volume must carry its filesystem: nothing is ever formatted over one. The refusal
/// says how to give the volume up.
[[nodiscard]] std::expected<void, Refusal>
check_finished(const std::string& group, const VolumeLayout& volume, const DiskContent& content);

/// "create the volume group muster on /dev/nvme1n1, /dev/nvme2n1"
[[nodiscard]] std::string describe(const Plan& plan, const Step& step);

/// "lvm vgcreate --config ... -- muster /dev/nvme1n1 /dev/nvme2n1"; a wipe is several.
[[nodiscard]] std::vector<std::string> commands_of(const Plan& plan, const Step& step);

/// What was found on a disk, for a person: "ext4 \"data\" at offset 1080".
[[nodiscard]] std::string describe(const Signature& signature);

} // namespace muster::lvm
