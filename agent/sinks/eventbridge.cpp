// Each report as one event on an EventBridge bus: source "muster", detail the whole report.
#include <nlohmann/json.hpp>

#include "agent/aws/answer.h"
#include "agent/sinks/aws_sink.h"
#include "agent/sys/json_text.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

class EventBridge : public AwsSink {
  public:
    explicit EventBridge(AwsParts parts) : AwsSink(std::move(parts)) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto call = put(message);
        const auto answer = client_.call(call, within(limit));
        if (!answer) return std::unexpected(sink_error(answer.error()));
        const auto read = aws::parse_put_events(*answer);
        if (!read) return std::unexpected(worth_another_try(read.error().with(call.permission())));
        if (const auto& refused = *read) return std::unexpected(not_taken(call, *refused));
        return {};
    }

  private:
    [[nodiscard]] aws::Call put(const Message& message) const {
        const auto facts = facts_of(message.body);
        const OrderedJson entry = {{"Source", "muster"},
                                   {"DetailType", "muster " + facts.outcome},
                                   {"Detail", message.body},
                                   {"EventBusName", config_.bus}};
        return {.service = "events",
                .action = "PutEvents",
                .on = "the event bus " + config_.bus,
                .target = "AWSEvents.PutEvents",
                .json = to_text(OrderedJson{{"Entries", OrderedJson::array({entry})}})};
    }

    /// The request was, but not its one entry.
    static SinkError not_taken(const aws::Call& call, const aws::ServiceError& error) {
        const bool again = error.code == "ThrottlingException" || error.code == "InternalFailure" ||
                           error.code == "InternalException";
        return {.error = {again ? Errc::transient : Errc::denied,
                          call.permission() + ": the event was not taken: " + error.code + ": " +
                              error.message},
                .final = !again};
    }
};

} // namespace

std::unique_ptr<Sink> make_eventbridge(AwsParts parts) {
    return std::make_unique<EventBridge>(std::move(parts));
}

} // namespace muster
