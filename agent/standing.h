// How far this boot is: /run/muster/status.json, for whoever waits for it. `run` keeps it from its
// first moment on, so that one that says "in-progress" while nobody holds the lock is that of a run
// that died.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/options.h"
#include "agent/record.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"

namespace muster {

constexpr const char* status_file = "/run/muster/status.json";

/// Keeps the file while a run is under way. It is written when what it tells has changed.
class Standing {
  public:
    explicit Standing(const Files& files) : files_(files) {}
    /// `until`: when there must be a verdict.
    void keep(const Record& record, bool enforced, Instant until);

  private:
    const Files& files_;
    std::string kept_;
    bool failing_ = false;
};

/// The file as it is; nothing of it is believed to be there.
[[nodiscard]] nlohmann::json read_status(const Files& files);

/// Whether the boot has got there, or (false) never will, or, with nothing, may still. Where the
/// mode is "observe" nobody is kept from starting: everything is reached with the verdict. Pure.
[[nodiscard]] std::optional<bool> is_reached(const nlohmann::json& status, Milestone milestone);

/// The instance that a run which died had learnt to know; empty where it had not.
[[nodiscard]] Instance instance_of(const nlohmann::json& status);

/// Waits until the milestone is reached; false where it never will be, or where the verdict is
/// overdue: a minute after the time by which the run had promised it, or, where none has begun,
/// after a minute.
[[nodiscard]] bool wait_for(Milestone milestone, const Files& files, Clock& clock);

} // namespace muster
