#include "agent/sinks/aws_sink.h"

#include <fmt/format.h>

#include "agent/aws/endpoint.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

// Metadata answers within milliseconds, or the verdict goes out without it.
constexpr Duration hold_limit = std::chrono::seconds(3);

/// A queue's url names its region; signed for another one, no request is taken.
aws::Client::Options options_of(const SinkConfig& config) {
    auto region = config.region;
    if (config.type == SinkConfig::Type::sqs) region = aws::region_of_queue(config.queue_url);
    return {.region = region, .endpoint = config.endpoint};
}

} // namespace

AwsSink::AwsSink(AwsParts parts)
    : config_(std::move(parts.config)), files_(parts.files), clock_(parts.clock),
      around_(std::move(parts.metadata_http), clock_, std::move(parts.metadata)),
      client_(std::move(parts.http), clock_, around_, options_of(config_)),
      boot_id_(std::move(parts.boot_id)) {}

SinkError sink_error(const aws::Refusal& refusal) {
    return {.error = refusal.error, .retry_after = refusal.retry_after, .final = refusal.final};
}

SinkError worth_another_try(const Error& error) {
    return {.error = error};
}

void log_nothing_done(const SinkConfig& config, const std::string& why) {
    log::info("nothing is done", {{"sink", config.name}, {"why", why}});
}

std::expected<Here, SinkError> AwsSink::here(Deadline deadline) {
    const auto place = around_.place(deadline);
    if (!place) return std::unexpected(worth_another_try(place.error()));
    return Here{.boot_id = boot_id_, .instance_id = place->instance_id};
}

std::expected<Judgement, SinkError> AwsSink::judged(const Message& message, Deadline deadline) {
    const auto facts = facts_of(message.body);
    if (!is_of_a_boot(facts)) return Judgement{};
    const auto now = here(deadline);
    if (!now) return std::unexpected(now.error());
    Hold hold;
    if (facts.outcome == "failed" && facts.enforced) {
        hold = is_held(config_.hold, files_, around_.metadata(), clock_,
                       deadline.clipped(clock_, hold_limit));
    }
    auto judgement = judge(facts, message.fresh, *now, hold);
    if (judgement.act == Judgement::Act::nothing) log_nothing_done(config_, judgement.why);
    if (judgement.act == Judgement::Act::approve && !judgement.why.empty()) {
        log::warning("approved in spite of a failure",
                     {{"sink", config_.name}, {"why", judgement.why}});
    }
    return judgement;
}

std::expected<std::string, SinkError> AwsSink::configured_or_tag(const std::string& value,
                                                                 const char* key,
                                                                 const std::string& tag,
                                                                 Deadline deadline) {
    if (!value.empty()) return value;
    auto found = around_.tag(tag, deadline);
    if (found) return std::move(*found);
    if (found.error().code != Errc::absent)
        return std::unexpected(worth_another_try(found.error()));
    // Not for good: one 404 is no proof, and there may be tags a moment later.
    return std::unexpected(worth_another_try(
        {Errc::absent, fmt::format("report.to.{}.{} is not set, and metadata has no tag {}: set "
                                   "it, or allow instance tags in the instance's metadata options",
                                   config_.name, key, tag)}));
}

} // namespace muster
