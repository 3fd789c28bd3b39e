// What survives a reboot: the spool's second folder and the last reports, in /var/lib/muster.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/delivery/spool_folder.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster {

/// So many past verdicts are kept in /var/lib/muster/history, for `muster tune` and for people.
inline constexpr std::size_t max_history = 10;

/// The root volume may be stuck, full, read-only or broken, so all of it is done in a helper, for
/// five seconds at the most, and after a call that hung no other is begun for a minute. Any thread.
class FarSpool {
  public:
    FarSpool(Isolate& isolate, Clock& clock, const Files& files);

    /// Begins to keep entries, and `report` in the history; nothing is waited for.
    void begin_keep(const std::vector<SpoolEntry>& entries, const std::string& report_name,
                    const std::string& report);
    /// What has become of that; `stuck` at the deadline.
    [[nodiscard]] Result<void> finish_keep(Deadline deadline);

    /// One that was in /run alone.
    [[nodiscard]] Result<void> keep(const SpoolEntry& entry);
    [[nodiscard]] Result<void> drop(const std::vector<std::string>& names);
    [[nodiscard]] Result<SpoolContent> read();

    /// "2026-11-21T20:01:02.345Z-BOOT-000002.json": they sort by their time.
    [[nodiscard]] static std::string history_name(WallTime time, const std::string& boot_id,
                                                  unsigned sequence);

  private:
    [[nodiscard]] Result<void> usable();
    /// Takes note of one that hung.
    [[nodiscard]] Error failed(const Error& error);

    Isolate& isolate_;
    Clock& clock_;
    std::string root_;                              ///< where "/" is
    Result<std::unique_ptr<IsolatedCall>> keeping_; ///< or why there is none

    std::mutex mutex_;
    std::optional<Error> hung_;
    Instant hung_at_{};
};

} // namespace muster
