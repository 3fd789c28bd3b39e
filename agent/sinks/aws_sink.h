// What the sinks that speak to AWS have in common: one client, its own metadata service, and where
// and when we are. Each sink has all of this to itself, so that one that hangs delays no other.
#pragma once

#include <memory>
#include <string>

#include "agent/aws/client.h"
#include "agent/aws/surroundings.h"
#include "agent/sinks/facts.h"
#include "agent/sinks/sink.h"
#include "probes/metadata_service.h"

namespace muster {

/// What such a sink is made of; a test gives it other clients.
struct AwsParts {
    SinkConfig config;
    const Files& files; ///< for the hold's file, beneath /run
    Clock& clock;
    std::unique_ptr<HttpClient> http;          ///< to AWS
    std::unique_ptr<HttpClient> metadata_http; ///< to instance metadata alone
    probes::MetadataAccess metadata;
    std::string boot_id;
};

class AwsSink : public Sink {
  protected:
    explicit AwsSink(AwsParts parts);

    [[nodiscard]] Deadline within(Duration limit) const { return Deadline::in(clock_, limit); }
    [[nodiscard]] std::expected<Here, SinkError> here(Deadline deadline);
    /// With `facts` of this boot's failure it is asked whether the machine is held.
    [[nodiscard]] std::expected<Judgement, SinkError> judged(const Message& message,
                                                             Deadline deadline);
    /// A value of the configuration, or else of a tag; `key` is the configuration's name for it.
    [[nodiscard]] std::expected<std::string, SinkError> configured_or_tag(const std::string& value,
                                                                          const char* key,
                                                                          const std::string& tag,
                                                                          Deadline deadline);

    SinkConfig config_;
    const Files& files_;
    Clock& clock_;
    aws::Surroundings around_;
    aws::Client client_;
    std::string boot_id_;
};

[[nodiscard]] SinkError sink_error(const aws::Refusal& refusal);
/// Of metadata: it may be well later.
[[nodiscard]] SinkError worth_another_try(const Error& error);

/// "NAME: nothing is done: WHY", in the log.
void log_nothing_done(const SinkConfig& config, const std::string& why);

[[nodiscard]] std::unique_ptr<Sink> make_sqs(AwsParts parts);
[[nodiscard]] std::unique_ptr<Sink> make_eventbridge(AwsParts parts);
[[nodiscard]] std::unique_ptr<Sink> make_ec2_tags(AwsParts parts);
[[nodiscard]] std::unique_ptr<Sink> make_cloudformation(AwsParts parts);
[[nodiscard]] std::unique_ptr<Sink> make_autoscaling(AwsParts parts);

} // namespace muster
