// Reports that have not been delivered yet: one file for each report and sink in /run/muster/spool,
// and of verdicts another one in /var/lib/muster/spool, which survives a reboot.
#pragma once

#include <string>
#include <vector>

#include "agent/delivery/far_spool.h"
#include "agent/delivery/spool_folder.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/lock.h"
#include "agent/sys/result.h"

namespace muster {

class Spool {
  public:
    /// `far`: none where there is none, or it must not be touched.
    explicit Spool(const Files& files, FarSpool* far = nullptr);

    /// On the tmpfs before the first try, so that a kill in the middle of it loses nothing.
    [[nodiscard]] Result<void> put(const SpoolEntry& entry) const;
    /// The same, where it can't be helped if that fails: it is logged, and the report is sent from
    /// memory.
    void keep(SpoolEntry& entry) const;

    /// A verdict that still waits is kept where it survives a reboot, if it is not yet: whoever
    /// made it was killed before.
    void keep_far(const SpoolEntry& entry) const;

    /// Delivered, or worth nothing any more. Of an entry that may be far, too, a mark stays in /run
    /// until the machine goes down: the far copy may not be to be had just now, and somebody else
    /// may have read it before.
    void drop(const SpoolEntry& entry) const;
    /// The same in /run only, which takes no time; the far copies are for `drop_far`.
    void drop_near(const SpoolEntry& entry) const;
    void drop_far(const std::vector<std::string>& names) const;
    void drop_unusable(const SpoolContent& content) const;

    /// Both folders, each entry once, in the order (boot, sequence), `this_boot` last. Up to five
    /// seconds where /var hangs; that is told by the content's `unread`.
    [[nodiscard]] SpoolContent read(const std::string& this_boot = "") const;
    /// False once somebody has dropped it.
    [[nodiscard]] bool still_has(const SpoolEntry& entry) const;

    /// Whoever sends what is in the spool to a sink holds its lock meanwhile, and asks `still_has`
    /// after it got it: so nothing is sent twice. `conflict`: somebody else has it.
    [[nodiscard]] Result<Lock> lock(const std::string& sink) const;

    /// "BOOT-SEQUENCE-SINK.json"
    [[nodiscard]] static std::string name_of(const std::string& boot_id, unsigned sequence,
                                             const std::string& sink);

  private:
    const Files& files_;
    SpoolFolder near_;
    FarSpool* far_;
};

/// The next sequence number of this boot, kept in /run/muster/sequence. `run` and `watch` may ask
/// at once: no two get the same.
[[nodiscard]] unsigned next_sequence(const Files& files);

} // namespace muster
