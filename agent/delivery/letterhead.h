// What the messages of one process have in common, and the number that each of them gets.
#pragma once

#include <string>

#include "agent/config/config.h"
#include "agent/report.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"

namespace muster {

class Letterhead {
  public:
    Letterhead(const Files& files, const Clock& clock);

    /// The head of the next message of this boot.
    [[nodiscard]] ReportHead next(Mode mode);
    [[nodiscard]] const std::string& boot_id() const { return boot_id_; }

  private:
    const Files& files_;
    const Clock& clock_;
    double uptime_at_start_;
    std::string boot_id_;
    unsigned sequence_ = 0; ///< of the last message
};

/// What is known of this instance before any metadata: Nitro's firmware carries its id.
[[nodiscard]] Record record_by_firmware(const Files& files);

} // namespace muster
