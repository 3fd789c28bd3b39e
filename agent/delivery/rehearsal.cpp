#include "agent/delivery/rehearsal.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/delivery/courier.h"
#include "agent/delivery/letterhead.h"
#include "agent/report.h"
#include "agent/sinks/sink.h"

namespace muster {
namespace {

std::expected<std::string, SinkError> rehearse_one(const SinkConfig& config, const Message& test,
                                                   const Files& files, Clock& clock,
                                                   Duration limit) {
    auto sink = make_sink(config, files, clock, {});
    if (!sink) return std::unexpected(SinkError{.error = sink.error(), .final = true});
    return (*sink)->rehearse(test, limit);
}

} // namespace

Rehearsal rehearse(const Files& files, Clock& clock, const Config& config) {
    const auto report =
        test_report(Letterhead(files, clock).next(config.mode), record_by_firmware(files));
    const Message test{.body = serialized(report), .key = idempotency_key(report)};
    const auto limit = std::min(config.report.deadline, try_limit);

    Rehearsal rehearsal;
    for (const auto& sink : config.report.to) {
        const auto told = rehearse_one(sink, test, files, clock, limit);
        rehearsal.text +=
            fmt::format("{}:\n{}", sink.name,
                        told ? *told : fmt::format("    FAILED: {}\n", told.error().error.message));
        if (!told) rehearsal.well = false;
    }
    if (config.report.to.empty()) rehearsal.text = "report.to names no sink\n";
    return rehearsal;
}

} // namespace muster
