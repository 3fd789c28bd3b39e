// A program run to its end, inside a helper of isolate. Private to sys: the one place that knows
// Boost.Process.
#pragma once

#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/command.h"
#include "agent/sys/result.h"

namespace muster {

struct Child {
    std::vector<std::string> argv;
    std::vector<std::string> environment{}; ///< beside LC_ALL=C
    int standard_input = -1;                ///< the program's descriptor 0
    Duration limit{};                       ///< TERM after it, KILL a second later
    /// It goes on to its end when the agent is killed, where it would be killed too.
    bool outlives_agent = false;
    bool only_its_end = false; ///< see Command
};

/// Blocks, and may hang for ever: exec of a program on a stuck volume does. Only for a helper.
[[nodiscard]] Result<CommandOutput> run_child(const Child& child);

} // namespace muster
