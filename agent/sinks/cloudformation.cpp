// The verdict as a signal to the CloudFormation resource that waits for this instance.
#include "agent/sinks/aws_sink.h"

namespace muster {
namespace {

/// The resource does not wait any more, or has our signal: what cfn-signal's users have to filter
/// out of its errors themselves (kube-aws pull 1274).
bool is_over(const aws::Refusal& refusal) {
    const auto& text = refusal.error.message;
    return refusal.code == "ValidationError" &&
           (text.find("cannot be signaled") != text.npos ||
            text.find("already exists. Signals may only be updated") != text.npos);
}

class CloudFormation : public AwsSink {
  public:
    explicit CloudFormation(AwsParts parts) : AwsSink(std::move(parts)) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto deadline = within(limit);
        const auto judgement = judged(message, deadline);
        if (!judgement) return std::unexpected(judgement.error());
        using Act = Judgement::Act;
        if (judgement->act == Act::nothing) return {};
        // The tags are asked for now: that may not be possible any more when there is a verdict.
        const auto waiting = target(deadline);
        if (judgement->act == Act::wait) {
            client_.warm("cloudformation", deadline);
            return {};
        }
        if (!waiting) return std::unexpected(waiting.error());
        return send(signal(*waiting, judgement->act == Act::approve), deadline);
    }

    [[nodiscard]] std::expected<std::string, SinkError> rehearse(const Message&,
                                                                 Duration limit) override {
        const auto waiting = target(within(limit));
        if (!waiting) return std::unexpected(waiting.error());
        std::string text;
        for (const bool well : {true, false}) {
            const auto call = signal(*waiting, well);
            text += std::string(well ? "    when ready" : "    when failed and to be recreated") +
                    ", with " + call.permission() + " on " + call.on + ":\n" + call.shown();
        }
        return text;
    }

  private:
    struct Target {
        std::string stack, resource, instance_id;
    };

    std::expected<Target, SinkError> target(Deadline deadline) {
        if (target_) return *target_;
        const auto now = here(deadline);
        if (!now) return std::unexpected(now.error());
        auto stack =
            configured_or_tag(config_.stack, "stack", "aws:cloudformation:stack-name", deadline);
        if (!stack) return std::unexpected(stack.error());
        auto resource = configured_or_tag(config_.resource, "resource",
                                          "aws:cloudformation:logical-id", deadline);
        if (!resource) return std::unexpected(resource.error());
        target_ = Target{std::move(*stack), std::move(*resource), now->instance_id};
        return *target_;
    }

    static aws::Call signal(const Target& target, bool well) {
        return aws::query("cloudformation", "2010-05-15", "SignalResource",
                          {{"StackName", target.stack},
                           {"LogicalResourceId", target.resource},
                           {"UniqueId", target.instance_id},
                           {"Status", well ? "SUCCESS" : "FAILURE"}},
                          "the stack " + target.stack);
    }

    std::expected<void, SinkError> send(const aws::Call& call, Deadline deadline) {
        const auto sent = client_.call(call, deadline);
        if (sent) return {};
        if (!is_over(sent.error())) return std::unexpected(sink_error(sent.error()));
        log_nothing_done(config_, sent.error().error.message);
        return {};
    }

    std::optional<Target> target_;
};

} // namespace

std::unique_ptr<Sink> make_cloudformation(AwsParts parts) {
    return std::make_unique<CloudFormation>(std::move(parts));
}

} // namespace muster
