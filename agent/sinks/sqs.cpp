// Each report as one message of an SQS queue: a fleet of any size reports into it.
#include <nlohmann/json.hpp>

#include "agent/sinks/aws_sink.h"
#include "agent/sys/json_text.h"

namespace muster {
namespace {

class Sqs : public AwsSink {
  public:
    explicit Sqs(AwsParts parts) : AwsSink(std::move(parts)) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto sent = client_.call(send(message), within(limit));
        if (!sent) return std::unexpected(sink_error(sent.error()));
        return {};
    }

  private:
    [[nodiscard]] aws::Call send(const Message& message) const {
        aws::Parameters parameters = {{"QueueUrl", config_.queue_url},
                                      {"MessageBody", in_ascii(message.body)}};
        // A FIFO queue keeps the order within a group, and drops what it has seen itself.
        if (config_.queue_url.ends_with(".fifo")) {
            parameters.emplace_back("MessageGroupId", message.key.substr(0, message.key.find('/')));
            parameters.emplace_back("MessageDeduplicationId", message.key);
        }
        auto call = aws::query("sqs", "2012-11-05", "SendMessage", std::move(parameters),
                               "the queue " + config_.queue_url);
        call.url = config_.queue_url;
        return call;
    }

    /// SQS refuses characters that XML has not, U+FFFF for one; as "\uffff" they are none. At most
    /// three times as long, within the 256 KiB of a message.
    static std::string in_ascii(const std::string& body) {
        const auto report = parse_ordered_json(body);
        if (report.is_discarded()) return body;
        return to_ascii_text(report);
    }
};

} // namespace

std::unique_ptr<Sink> make_sqs(AwsParts parts) {
    return std::make_unique<Sqs>(std::move(parts));
}

} // namespace muster
