#include "agent/session.h"

#include <fmt/format.h>

#include "agent/console.h"
#include "agent/spool.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr const char* report_file = "/run/muster/report.json";
// Metadata names a healthy instance within a second.
constexpr Duration name_wait = std::chrono::seconds(3);

std::string verdict_text(const Verdict& verdict) {
    if (verdict.ready) return "ready";
    return fmt::format("FAILED: {}: {} (recreate: {})", verdict.code, verdict.message,
                       verdict.recreate ? "yes" : "no");
}

} // namespace

Session::Session(const Files& files, Clock& clock, const Config& config)
    : files_(files), clock_(clock), config_(config), start_(clock.now()), letterhead_(files, clock),
      courier_(clock), standing_(files) {
    for (const auto& sink : config.report.to)
        courier_.add(sink, files);
}

Deadline Session::work_deadline() const {
    return {start_ + config_.deadline - config_.report.deadline};
}

void Session::show(const Record& record) {
    standing_.keep(record, config_.mode == Mode::enforce, start_ + config_.deadline);
}

void Session::announce(const Record& record) {
    if (announced_) return;
    if (record.instance.id.empty() && clock_.now() - start_ < name_wait) return;
    announced_ = true;
    const Instant end = start_ + config_.deadline;
    const auto verdict_by =
        clock_.wall() + std::chrono::ceil<std::chrono::milliseconds>(end - clock_.now());
    const auto report = in_progress_report(letterhead_.next(config_.mode), record, verdict_by);
    console_line(fmt::format("started, verdict by {}", to_rfc3339(verdict_by)));
    courier_.announce({.body = serialized(report), .key = idempotency_key(report)},
                      work_deadline());
}

int Session::conclude(const Record& record, Ending ending) {
    const auto verdict = decide(record.findings, ending);
    report_ = verdict_report(letterhead_.next(config_.mode), record, verdict);
    const Message message{.body = serialized(report_), .key = idempotency_key(report_)};
    console_line(verdict_text(verdict));

    const Spool spool(files_);
    const unsigned sequence = report_["sequence"];
    for (const auto& sink : config_.report.to)
        spool.keep({.name = Spool::name_of(letterhead_.boot_id(), sequence, sink.name),
                    .sink = sink.name,
                    .boot_id = letterhead_.boot_id(),
                    .sequence = sequence,
                    .time = clock_.wall(),
                    .message = message});
    keep(report_, record.storage_ready, {});

    const auto deliveries =
        courier_.deliver(message, Deadline::in(clock_, config_.report.deadline));
    for (const auto& delivery : deliveries) {
        if (delivery.delivered) {
            spool.drop(Spool::name_of(letterhead_.boot_id(), sequence, delivery.sink));
        } else {
            log::error("report not delivered", {{"sink", delivery.sink},
                                                {"tries", std::to_string(delivery.tries)},
                                                {"error", delivery.error}});
        }
    }
    keep(report_, record.storage_ready, deliveries);
    const bool delivered = all_delivered(deliveries);
    if (!delivered) console_line("the report could not be delivered; it is in the spool");
    return (verdict.ready ? 0 : 1) + (delivered ? 0 : 3);
}

void Session::keep(const nlohmann::ordered_json& report, bool storage_ready,
                   const std::vector<Delivery>& deliveries) const {
    auto status = report;
    status["storage_ready"] = storage_ready;
    status["deliveries"] = nlohmann::ordered_json::array();
    for (const auto& delivery : deliveries) {
        status["deliveries"].push_back({{"sink", delivery.sink},
                                        {"delivered", delivery.delivered},
                                        {"tries", delivery.tries},
                                        {"error", delivery.error}});
    }
    for (const auto& [path, json] : {std::pair{report_file, &report}, {status_file, &status}}) {
        const auto written = files_.write(path, serialized(*json) + "\n");
        if (!written) log::error("can't be kept", {{"error", written.error().message}});
    }
}

} // namespace muster
