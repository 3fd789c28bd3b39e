// The report: schema "muster.report/1" (docs/report.schema.json). Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/record.h"
#include "agent/sys/clock.h"
#include "agent/verdict.h"

namespace muster {

inline constexpr std::size_t max_report = 64 << 10; ///< bytes

/// What every message of one run has in common.
struct ReportHead {
    std::string boot_id;
    unsigned sequence = 0;
    WallTime time{};
    double uptime_at_start = 0; ///< seconds since the kernel's start when the agent started
    bool enforced = true;       ///< false in mode "observe"
};

/// `in-progress`: silence after `verdict_by` means dead.
[[nodiscard]] nlohmann::ordered_json in_progress_report(const ReportHead& head,
                                                        const Record& record, WallTime verdict_by);

/// `ready` or `failed`, with all that is known.
[[nodiscard]] nlohmann::ordered_json verdict_report(const ReportHead& head, const Record& record,
                                                    const Verdict& verdict);

/// What `muster watch` says later. None of it advises to recreate: only a boot's verdict condemns.
/// `degraded`: `record.findings` are those of the last look, of what is bad those that say how.
[[nodiscard]] nlohmann::ordered_json degraded_report(const ReportHead& head, const Record& record,
                                                     const Verdict& why);
[[nodiscard]] nlohmann::ordered_json recovered_report(const ReportHead& head, const Record& record);
/// `notice`: {"kind": ..., "detail": {...}, "time": ...}; see the schema.
[[nodiscard]] nlohmann::ordered_json notice_report(const ReportHead& head, const Record& record,
                                                   const nlohmann::ordered_json& notice);
[[nodiscard]] nlohmann::ordered_json stopping_report(const ReportHead& head, const Record& record);
/// `test`: of `muster deliver --test`. It says nothing of the machine.
[[nodiscard]] nlohmann::ordered_json test_report(const ReportHead& head, const Record& record);

/// The report as it is sent: at most 64 KiB. Where it would be longer, evidence goes first, then
/// findings that passed, then timings; `truncated` says so.
[[nodiscard]] std::string serialized(nlohmann::ordered_json report);

/// INSTANCE/BOOT_ID/SEQUENCE
[[nodiscard]] std::string idempotency_key(const nlohmann::ordered_json& report);

} // namespace muster
