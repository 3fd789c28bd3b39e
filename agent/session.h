// One run's dealings with the outside: what it announces, how it ends, what it leaves in
// /run/muster.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/delivery/courier.h"
#include "agent/delivery/far_spool.h"
#include "agent/delivery/letterhead.h"
#include "agent/delivery/spool.h"
#include "agent/record.h"
#include "agent/report.h"
#include "agent/standing.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/verdict.h"

namespace muster {

class Session {
  public:
    Session(const Files& files, Clock& clock, const Config& config);

    /// Sends `in-progress` once, as soon as the instance can be named, and without its name when
    /// that takes too long.
    void announce(const Record& record);

    /// Tells who waits on this machine how far the boot is (agent/standing.h).
    void show(const Record& record);
    /// From here on verdicts are kept there, too, so that they survive a reboot.
    void spool_to(FarSpool& far) { far_ = &far; }

    /// Decides, reports, waits for the delivery. Gives the report's exit status: 0, 1, 3 or 4.
    [[nodiscard]] int conclude(const Record& record, Ending ending);

    [[nodiscard]] Instant start() const { return start_; }
    /// The work must be over by then, so that the report keeps its own time.
    [[nodiscard]] Deadline work_deadline() const;
    /// The verdict report, after `conclude`.
    [[nodiscard]] const nlohmann::ordered_json& report() const { return report_; }

  private:
    void keep(const nlohmann::ordered_json& report, bool storage_ready,
              const std::vector<Delivery>& deliveries) const;
    [[nodiscard]] std::vector<SpoolEntry> spool(const Message& message);
    void unspool(std::vector<SpoolEntry> entries, const std::vector<Delivery>& deliveries);

    const Files& files_;
    Clock& clock_;
    const Config& config_;
    Instant start_;
    Letterhead letterhead_;
    Courier courier_;
    Standing standing_;
    FarSpool* far_ = nullptr;
    bool announced_ = false;
    nlohmann::ordered_json report_;
};

} // namespace muster
