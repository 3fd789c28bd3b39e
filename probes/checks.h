// The owner's own checks: programs that look at the machine, and say by their exit status whether
// it is well.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/command.h"
#include "agent/sys/kernel.h"
#include "probes/finding.h"

namespace muster::probes {

/// Where the owner's executables stand: those in required.d gate, those in wanted.d do not.
inline constexpr const char* checks_folder = "/etc/muster/checks.d";

/// One program, and what its failure means.
struct Check {
    std::string name;                 ///< the finding's subject: "nginx-config", "required.d/10-x"
    std::vector<std::string> command; ///< the program, an absolute path, and its arguments
    Duration deadline = std::chrono::seconds(30);
    bool required = true;  ///< gating
    bool recreate = false; ///< its failure advises a new instance
};

/// What stands in `checks_folder`.
struct FoundChecks {
    std::vector<Check> checks;     ///< required.d before wanted.d, each by name
    std::vector<Finding> findings; ///< what can't be run or looked at, and what to do about it
};

/// Looks there, and runs nothing. A file is a check if root alone can write it and its folders, and
/// may run it; one that is not is a finding, gating in required.d. Hidden files and what editors
/// and package managers leave are passed over.
[[nodiscard]] FoundChecks find_checks(Kernel& kernel, Deadline deadline);

/// Runs it. By `deadline` it has ended, also if it resists: its own deadline is clipped to 3 s
/// before that. It fails with any exit status but 0, where it had to be ended, or where it can't be
/// run; unknown is only what says nothing about it: no time left to begin, or no process to be had.
[[nodiscard]] Finding run_check(CommandRunner& commands, const Clock& clock, const Check& check,
                                Deadline deadline);

} // namespace muster::probes
