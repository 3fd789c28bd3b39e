// Does a volume take writes? Only where its owner asks for it: a file of ours is written into the
// volume's own filesystem.
#pragma once

#include <optional>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/disk.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "agent/sys/mounts.h"
#include "probes/finding.h"
#include "probes/pursuit.h"

namespace muster::probes {

/// A volume that answers reads, and is to be written to.
struct WriteProbe {
    Disk disk;
    Deadline mounted_by; ///< until then its owner has time to mount it
    Finding* finding;    ///< that it answers reads; what the write has shown is added or put here
};

/// Waits for each volume's filesystem to be mounted, writes a file of ours there, reads it back and
/// removes it, all volumes side by side. What has not ended `io_deadline` after its start is
/// `ebs-stuck`; a volume that is mounted nowhere, or is full, is one of which nobody can tell.
void probe_writes(const Files& files, Kernel& kernel, Clock& clock, std::vector<WriteProbe> probes,
                  Duration io_deadline, Deadline deadline, const WaitNotice& notice);

/// Where the whole of a filesystem is mounted that lies on the disk, on a partition of it or on
/// what is stacked on these (LVM, md, dm-crypt); in our own mount namespace, of several the last.
/// `absent`: nowhere; any other error: it can't be told.
[[nodiscard]] Result<Mount> mount_on(const Files& files, const Disk& disk);

} // namespace muster::probes
