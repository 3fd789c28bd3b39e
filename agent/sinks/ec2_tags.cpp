// The verdict as tags of the instance, all in one call.
#include "agent/sinks/aws_sink.h"

namespace muster {
namespace {

class Ec2Tags : public AwsSink {
  public:
    explicit Ec2Tags(AwsParts parts) : AwsSink(std::move(parts)) {}

    /// Tags condemn nobody, so a verdict that comes late is written, too: EC2 may not know the
    /// instance for longer than the report's deadline.
    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto deadline = within(limit);
        const auto facts = facts_of(message.body);
        if (!is_of_a_boot(facts)) return {};
        if (facts.outcome == "in-progress") {
            client_.warm("ec2", deadline);
            return {};
        }
        const auto now = here(deadline);
        if (!now) return std::unexpected(now.error());
        if (!is_current_verdict(facts, *now)) {
            log_nothing_done(config_, "only this boot's latest verdict becomes tags");
            return {};
        }
        const auto made = client_.call(create(facts, now->instance_id), deadline);
        if (!made) return std::unexpected(sink_error(made.error()));
        return {};
    }

    [[nodiscard]] std::expected<std::string, SinkError> rehearse(const Message& test,
                                                                 Duration limit) override {
        const auto now = here(within(limit));
        if (!now) return std::unexpected(now.error());
        auto facts = facts_of(test.body);
        facts.outcome = "ready";
        const auto call = create(facts, now->instance_id);
        return "    when ready or failed, with " + call.permission() + " on " + call.on + ":\n" +
               call.shown();
    }

  private:
    [[nodiscard]] aws::Call create(const Facts& facts, const std::string& instance_id) const {
        aws::Parameters parameters = {{"ResourceId.1", instance_id}};
        int number = 0;
        // An empty reason goes over that of an earlier boot.
        for (const auto& [key, value] :
             {std::pair("outcome", facts.outcome), std::pair("reason", facts.reason),
              std::pair("time", facts.time)}) {
            const auto tag = "Tag." + std::to_string(++number);
            parameters.emplace_back(tag + ".Key", config_.prefix + key);
            parameters.emplace_back(tag + ".Value", value.substr(0, 256));
        }
        return aws::query("ec2", "2016-11-15", "CreateTags", std::move(parameters),
                          "the instance " + instance_id);
    }
};

} // namespace

std::unique_ptr<Sink> make_ec2_tags(AwsParts parts) {
    return std::make_unique<Ec2Tags>(std::move(parts));
}

} // namespace muster
