// Run a program: no shell, no PATH, a deadline, bounded output.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster {

struct Command {
    std::vector<std::string> argv; ///< argv[0] is an absolute path
    /// The command changes a disk. If the agent is killed, it goes on to its end: half of a
    /// vgcreate is worse than none or all of it. While it lives it holds a lock (a shared flock on
    /// `disks.lock` in the run folder) that the next `muster run` waits for, or two of them could
    /// write to one disk. The lock is its standard input, an empty file to it: LVM closes every
    /// other descriptor that it inherits, and complains of it.
    bool writes_disks = false;
    /// "NAME=VALUE", beside LC_ALL=C: there is no other.
    std::vector<std::string> environment{};
    /// Somebody's program, of which nothing is parsed: only the end of what it writes is kept, of
    /// both outputs, however much that is; and one that had to be ended at its deadline has an
    /// output all the same (`ended_late`), since what it last said is what tells why.
    bool only_its_end = false;
};

struct CommandOutput {
    int exit_status = 0; ///< 0-255, or 128 + the number of the signal that ended it
    std::string out;     ///< standard output, 4 MiB at most (64 disks' fullreport is 200 KiB), or,
                         ///< with `only_its_end`, its last 64 KiB
    std::string err;     ///< standard error, its last 64 KiB
    Duration took{};
    bool ended_late = false; ///< it was ended at its deadline; only with `only_its_end`
};

/// Standard input has nothing to read. At the deadline TERM,
/// a second later KILL, to the whole group, so a program that resists costs up to 2 s more than its
/// deadline. A program that has ended is not waited for any longer because a child of it still
/// holds its outputs; such a child is killed, if it is in its group. Errors: `absent` (no such
/// program), `stuck` (deadline; or exec itself hung), `denied`, `too_large` (standard output beyond
/// its bound), `conflict` (it writes, and someone has the disk lock for himself). A program's own
/// failure is not an error here: see `exit_status`. Outputs are raw bytes, not always UTF-8.
class CommandRunner {
  public:
    virtual ~CommandRunner() = default;
    [[nodiscard]] virtual Result<CommandOutput> run(const Command& command, Deadline deadline) = 0;
};

/// `disk_lock`: the path of the lock file for commands that write.
[[nodiscard]] std::unique_ptr<CommandRunner>
make_command_runner(const Clock& clock, Isolate& isolate, std::string disk_lock);

/// The command as a person would type it, quoted where a shell needs it.
[[nodiscard]] std::string to_string(const Command& command);

} // namespace muster
