// Is the root volume alive? Real I/O, tried again and again for as long as somebody depends on it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "probes/finding.h"
#include "probes/root_device.h"

namespace muster::probes {

/// Where the root probe's own file is.
inline constexpr const char* root_probe_folder = "/var/lib/muster";

/// Reads the root's device past the page cache, and, if it is to, writes a file of its own, syncs
/// it and reads it back; a second after that again. A try that has not ended gets no second one
/// beside it, however long it hangs.
class RootIo {
  public:
    /// Nothing is read or written before the first `tick`. `writes`: false for those who only look.
    RootIo(const Files& files, Kernel& kernel, Clock& clock, Duration io_deadline, bool writes);

    /// Goes on with it; never waits. To be called several times a second.
    void tick();

    /// What is wrong: `root-stuck` as soon as a try has hung for `io_deadline`; I/O errors, a
    /// filesystem that is full or takes no writes. The first of these stays.
    [[nodiscard]] const std::optional<Finding>& failure() const { return failure_; }

    /// What root is like now: waits for a try that is under way and then makes one more, at most
    /// until the deadline. A stall that has ended in time is evidence. Not gating where nothing is
    /// written and there is no block device to read from.
    [[nodiscard]] Finding finish(Deadline deadline);

  private:
    struct Try {
        const char* what; ///< "reads", "writes"
        std::unique_ptr<PendingIo> io;
    };
    void begin();
    void take(const char* what, const Result<Duration>& took);
    void fail_with(Finding finding);
    [[nodiscard]] bool is_busy() const { return !tries_.empty(); }
    [[nodiscard]] Finding stuck();
    [[nodiscard]] Finding summary() const;

    const Files& files_;
    Kernel& kernel_;
    Clock& clock_;
    Duration io_deadline_;
    bool writes_;
    std::optional<RootDevice> device_;
    std::vector<Try> tries_; ///< under way
    Instant since_;          ///< when these began
    Instant next_;           ///< when the next ones may begin
    unsigned rounds_ = 0;
    std::map<std::string, Duration> slowest_;       ///< by what was tried
    std::map<std::string, std::string> impossible_; ///< what could not be tried, and why
    std::optional<Finding> failure_;
};

} // namespace muster::probes
