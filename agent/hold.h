// Whether somebody wants this machine left as it is: no ABANDON, not unhealthy, no power-off.
#pragma once

#include <string>

#include "agent/config/config.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "probes/metadata_service.h"

namespace muster {

struct Hold {
    bool held = false;
    /// For a person. Held: by what. Not held: "", or why the tag could not be looked at.
    std::string why;
};

/// Held while `hold.file` is there, or the instance has the tag `hold.tag`, whatever its value
/// (instance tags in metadata are off by default: then there is none; EC2 User Guide, "Work with
/// instance tags in instance metadata"). The file is on a tmpfs, so looking for it never hangs; the
/// tag is asked for until there is an answer, or the deadline; that there are no tags at all is
/// believed when it was said for two seconds.
///
/// A tag that can't be asked for holds nothing. A hold keeps a broken machine for somebody who
/// looks at it; a machine without metadata that nobody holds must still come to its end, or it is
/// paid for ever.
[[nodiscard]] Hold is_held(const HoldConfig& config, const Files& files,
                           probes::MetadataService& metadata, Clock& clock, Deadline deadline);

} // namespace muster
