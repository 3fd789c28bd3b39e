// The outside world as far as the disks are concerned, and how it fails.
#pragma once

#include <expected>
#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/command.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"

namespace muster::lvm {

struct Machine {
    const Files& files;
    Kernel& kernel;
    CommandRunner& commands;
    Clock& clock;
};

/// A healthy disk gives its first and last MiB within milliseconds.
inline constexpr Duration look_limit = std::chrono::seconds(20);

/// A call that had so long hangs on a disk; with less it may only have begun too late.
inline constexpr Duration fair_time = std::chrono::seconds(5);

/// Why no answer could be had, as a reason code and a message.
struct Failure {
    std::string reason;
    std::string message;
};

/// A failed look at an ephemeral disk, as a reason code.
[[nodiscard]] Failure disk_failure(const Error& error);

/// What is on a disk or a volume, within `look_limit`.
[[nodiscard]] std::expected<DiskContent, Failure>
read_content(const Machine& machine, const std::string& node, Deadline deadline);

/// Runs a command that must succeed, again for as long as another LVM command has LVM's own lock.
/// The failure's message ends with the cause that the command told.
[[nodiscard]] std::expected<void, Failure> must_run(const Machine& machine, const Command& command,
                                                    Deadline deadline);

/// The same for one of LVM's that only reads, 60 s at most: what it said.
[[nodiscard]] std::expected<std::string, Failure> ask(const Machine& machine,
                                                      const Command& command, Deadline deadline);

} // namespace muster::lvm
