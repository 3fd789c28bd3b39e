// Reports in the spool that may still be sent, and what they are worth by now.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/delivery/spool.h"
#include "agent/sinks/facts.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"

namespace muster {

/// Older than this, a verdict is about a machine that nobody waits for any more.
inline constexpr auto worth_sending_for = std::chrono::hours(24);

/// How old it is by now. The wall clock of a boot is often set while it goes on, by years where the
/// machine had no battery; so nothing of this boot is older than that.
[[nodiscard]] Duration age_of(const SpoolEntry& entry, const std::string& boot_id,
                              const Clock& clock);

/// What a report says, as far as its worth when it comes late is concerned.
struct Statement {
    std::string boot_id;
    unsigned sequence = 0;
    std::string outcome; ///< "" where it can't be told
};
[[nodiscard]] Statement statement_of(const SpoolEntry& entry);

/// Whether `later` makes `earlier` something that is never to be acted on: another boot has begun,
/// or it is of the same boot, came later, and says the same kind of thing anew. A verdict (`ready`,
/// `failed`) is only made void by another verdict: what `watch` says never condemns a machine, and
/// does not acquit one either. A verdict, or `degraded` and `recovered`, make the latter two void;
/// `stopping` is void once anything was said after it; a notice stays what it is.
[[nodiscard]] bool makes_void(const Statement& later, const Statement& earlier);

/// The report with `superseded` in it.
[[nodiscard]] std::string superseded(const std::string& body);

/// `instance_id`: of the firmware, or of this boot's verdict.
[[nodiscard]] Here here_and_now(const Files& files);

/// Whether this boot's latest verdict makes it void, as it is known now.
[[nodiscard]] bool is_overtaken(const SpoolEntry& entry, const Files& files);

/// Whether a sink that acts may have it: nothing but a verdict of this very boot that no later one
/// has made void.
[[nodiscard]] bool may_be_acted_on(const SpoolEntry& entry, const Here& here);

struct Leftovers {
    std::vector<SpoolEntry> entries; ///< in their order; those that are void say so
    bool all_read = true;            ///< nothing may be left that is not among them
};

/// Reads the spool. What can't be understood, is of another instance (this disk is a clone of its),
/// or is older than a day, is dropped from it; all of that is logged. Where it is not known who we
/// are, what another boot left is not among the entries and stays.
[[nodiscard]] Leftovers read_leftovers(const Spool& spool, const Files& files, const Clock& clock);

} // namespace muster
