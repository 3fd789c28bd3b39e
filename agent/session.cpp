#include "agent/session.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/console.h"
#include "agent/delivery/spool.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr const char* report_file = "/run/muster/report.json";
// Metadata names a healthy instance within a second.
constexpr Duration name_wait = std::chrono::seconds(3);
// Beyond the time that delivering took. A healthy disk syncs within milliseconds; a slow one is
// worth more patience where what it keeps is all that there is.
constexpr Duration far_patience = std::chrono::seconds(1);
constexpr Duration far_patience_undelivered = std::chrono::seconds(5);

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

/// In /run at once, and on the disk while the first tries are made: if the root is stuck or slow,
/// that is no reason to keep a scaler waiting.
std::vector<SpoolEntry> Session::spool(const Message& message) {
    std::vector<SpoolEntry> entries;
    const unsigned sequence = report_["sequence"];
    const Spool near(files_);
    for (const auto& sink : config_.report.to) {
        auto& entry = entries.emplace_back(
            SpoolEntry{.name = Spool::name_of(letterhead_.boot_id(), sequence, sink.name),
                       .sink = sink.name,
                       .boot_id = letterhead_.boot_id(),
                       .sequence = sequence,
                       .time = clock_.wall(),
                       .message = message,
                       .far = far_ != nullptr});
        near.keep(entry);
    }
    if (far_ != nullptr) {
        far_->begin_keep(entries,
                         FarSpool::history_name(clock_.wall(), letterhead_.boot_id(), sequence),
                         message.body);
    }
    return entries;
}

void Session::unspool(std::vector<SpoolEntry> entries, const std::vector<Delivery>& deliveries) {
    if (far_ != nullptr) {
        const bool all = std::ranges::all_of(deliveries, &Delivery::delivered);
        const auto kept =
            far_->finish_keep(Deadline::in(clock_, all ? far_patience : far_patience_undelivered));
        if (!kept) log::warning("nothing survives a reboot", {{"error", kept.error().message}});
    }
    std::vector<std::string> delivered;
    const Spool both(files_, far_);
    for (const auto& entry : entries) {
        const auto delivery = std::ranges::find(deliveries, entry.sink, &Delivery::sink);
        if (delivery == deliveries.end() || !delivery->delivered) continue;
        both.drop_near(entry);
        if (entry.far) delivered.push_back(entry.name);
    }
    both.drop_far(delivered);
}

int Session::conclude(const Record& record, Ending ending) {
    const auto verdict = decide(record.findings, ending, record.without_data);
    report_ = verdict_report(letterhead_.next(config_.mode), record, verdict);
    const Message message{.body = serialized(report_), .key = idempotency_key(report_)};
    console_line(verdict_text(verdict));

    // So that a `deliver` beside us leaves this one to us; where somebody is just sending an older
    // report, the verdict does not wait for it.
    std::vector<Result<Lock>> locks;
    for (const auto& sink : config_.report.to)
        locks.push_back(Spool(files_).lock(sink.name));
    const auto entries = spool(message);
    keep(report_, record.storage_ready, {});
    const auto deliveries =
        courier_.deliver(message, Deadline::in(clock_, config_.report.deadline));
    for (const auto& delivery : deliveries) {
        if (delivery.delivered) continue;
        log::error("report not delivered", {{"sink", delivery.sink},
                                            {"tries", std::to_string(delivery.tries)},
                                            {"error", delivery.error}});
    }
    unspool(entries, deliveries);
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
