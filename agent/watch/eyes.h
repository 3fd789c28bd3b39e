// What `muster watch` sees with: one look at the machine and at what the platform announces.
#pragma once

#include <optional>
#include <vector>

#include "agent/config/config.h"
#include "agent/record.h"
#include "agent/sys/clock.h"
#include "agent/sys/result.h"
#include "probes/finding.h"
#include "probes/notices.h"

namespace muster {

/// What one look gave.
struct Sight {
    std::vector<probes::Finding> findings;
    std::vector<probes::Notice> notices; ///< all that stand now
    /// Why the metadata service could not be asked; no finding about the machine.
    std::optional<Error> metadata_error;
    Instance instance;              ///< as far as it is known
    unsigned metadata_requests = 0; ///< since the start, those for tokens too
};

class Eyes {
  public:
    virtual ~Eyes() = default;
    /// Looks as this says from now on. Not while a look is under way.
    virtual void follow(const Config& config) = 0;
    /// Never writes to a disk. May take its time, to the deadline at most.
    [[nodiscard]] virtual Sight look(Deadline deadline) = 0;
};

} // namespace muster
