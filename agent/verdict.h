// From what was found to `ready` or `failed`. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "probes/finding.h"

namespace muster {

/// How the boot job came to its end.
enum class Ending {
    finished,
    died,        ///< it crashed or was killed
    deadline,    ///< it was not done in time
    interrupted, ///< we were told to stop
};

struct Verdict {
    bool ready = false;
    bool recreate = false; ///< the agent's advice: a new instance is likely to be better
    std::string code;      ///< reason code, empty when ready
    std::string message;
};

/// Fail beats unknown, and any gating one of them beats ready. Recreating is advised where any
/// failure calls for it, by its code or of its own (a check's), but never where foreign data
/// stand on the disks: they would be lost. The reason named is the one that the advice rests on.
/// `without_data`: of Record.
[[nodiscard]] Verdict decide(const std::vector<probes::Finding>& findings, Ending ending,
                             bool without_data);

/// The advice that belongs to a reason code (design.md part A). What failed to assemble, or could
/// not be told, says nothing of what is on the disks: these codes advise to recreate only
/// `without_data`. An unknown code is a mistake of ours: no advice to recreate.
[[nodiscard]] bool advises_recreation(std::string_view code, bool without_data);

/// True where the code is one of the interface's.
[[nodiscard]] bool is_reason_code(std::string_view code);

} // namespace muster
