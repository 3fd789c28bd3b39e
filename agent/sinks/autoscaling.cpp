// The verdict as the answer that an Auto Scaling group's launch hook waits for, with heartbeats
// until then; outside a wait, a failed instance is marked unhealthy.
//
// Where an instance stands is asked of the group alone, and only where that must be known:
// metadata's target-lifecycle-state says "InService" while the instance still waits
// (codedeploy-agent issue 390), and Describe calls of a whole fleet throttle the scaler's own.
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "agent/aws/answer.h"
#include "agent/sinks/aws_sink.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

using Act = Judgement::Act;

constexpr const char* version = "2011-01-01";
constexpr const char* group_tag = "aws:autoscaling:groupName";
// A hook waits 30 s at the least, and an hour where its owner said nothing.
constexpr Duration shortest_heartbeat = std::chrono::seconds(10);
constexpr Duration unknown_heartbeat = std::chrono::seconds(20);
constexpr Duration longest_heartbeat = std::chrono::minutes(5);

template <class T>
using Outcome = std::expected<T, SinkError>;

/// No hook of that name waits for this instance: it has been answered, or the wait has not begun.
bool nothing_waits(const aws::Refusal& refusal) {
    return refusal.code == "ValidationError" &&
           refusal.error.message.find("No active Lifecycle Action") != std::string::npos;
}

class AutoScaling : public AwsSink {
  public:
    explicit AutoScaling(AwsParts parts) : AwsSink(std::move(parts)) {}

    [[nodiscard]] Outcome<void> deliver(const Message& message, Duration limit) override {
        const auto deadline = within(limit);
        const auto judgement = judged(message, deadline);
        if (!judgement) return std::unexpected(judgement.error());
        if (judgement->act == Act::nothing) return {};
        const auto found = target(deadline);
        if (!found) return std::unexpected(found.error());
        if (!*found) {
            log_nothing_done(config_, "the instance is in no Auto Scaling group");
            return {};
        }
        switch (judgement->act) {
        case Act::wait: return beat(**found, deadline);
        case Act::approve: return approve(**found, deadline);
        case Act::condemn: return condemn(**found, deadline);
        case Act::nothing: break;
        }
        return {};
    }

    [[nodiscard]] Duration heartbeat() const override {
        if (!target_ || target_->hook.empty()) return Duration::zero();
        const auto timeout = target_->timeout;
        if (timeout == Duration::zero()) return unknown_heartbeat;
        return std::clamp(timeout / 3, shortest_heartbeat, longest_heartbeat);
    }

    [[nodiscard]] Outcome<std::string> rehearse(const Message&, Duration limit) override {
        const auto found = target(within(limit));
        if (!found) return std::unexpected(found.error());
        const auto& known = *found;
        if (!known) return "    nothing: the instance is in no Auto Scaling group\n";
        const auto& to = *known;
        std::string text;
        const auto tell = [&](const char* when, const aws::Call& call) {
            text += fmt::format("    {}, with {} on {}:\n{}", when, call.permission(), call.on,
                                call.shown());
        };
        if (!to.hook.empty()) {
            tell("while it boots", record_heartbeat(to));
            tell("when ready", complete(to, true));
            tell("when failed and to be recreated", complete(to, false));
        }
        tell(to.hook.empty() ? "when failed and to be recreated"
                             : "when failed and to be recreated, and no hook waits",
             mark_unhealthy(to));
        return text;
    }

  private:
    struct Target {
        std::string group;
        std::string hook;   ///< "": the group has none for a launch
        Duration timeout{}; ///< of the hook; zero: not known
        std::string instance_id;
    };

    // --- the calls

    static aws::Call about(const Target& to, const char* action, aws::Parameters parameters) {
        return aws::query("autoscaling", version, action, std::move(parameters),
                          "the Auto Scaling group " + to.group);
    }
    static aws::Call record_heartbeat(const Target& to) {
        return about(to, "RecordLifecycleActionHeartbeat",
                     {{"LifecycleHookName", to.hook},
                      {"AutoScalingGroupName", to.group},
                      {"InstanceId", to.instance_id}});
    }
    static aws::Call complete(const Target& to, bool well) {
        return about(to, "CompleteLifecycleAction",
                     {{"LifecycleHookName", to.hook},
                      {"AutoScalingGroupName", to.group},
                      {"LifecycleActionResult", well ? "CONTINUE" : "ABANDON"},
                      {"InstanceId", to.instance_id}});
    }
    static aws::Call mark_unhealthy(const Target& to) {
        return about(to, "SetInstanceHealth",
                     {{"InstanceId", to.instance_id},
                      {"HealthStatus", "Unhealthy"},
                      {"ShouldRespectGracePeriod", "false"}});
    }

    // --- which group and which hook

    /// Found once, and then kept. Nothing: the instance is in no group.
    Outcome<std::optional<Target>> target(Deadline deadline) {
        if (target_) return target_;
        const auto now = here(deadline);
        if (!now) return std::unexpected(now.error());
        Target to{.instance_id = now->instance_id};
        auto group = this->group(to.instance_id, deadline);
        if (!group) return std::unexpected(group.error());
        if (group->empty()) return std::optional<Target>();
        to.group = std::move(*group);
        if (auto found = find_hook(to, deadline); !found) return std::unexpected(found.error());
        target_ = std::move(to);
        return target_;
    }

    /// "" where there is none.
    Outcome<std::string> group(const std::string& instance_id, Deadline deadline) {
        if (!config_.group.empty()) return config_.group;
        if (const auto tag = around_.tag(group_tag, deadline)) return *tag;
        const auto listed = this->member(instance_id, deadline);
        if (!listed) return std::unexpected(listed.error());
        if (const auto& member = *listed) return member->group;
        // It may only not be listed yet.
        const auto scaled = around_.was_scaled(deadline);
        if (!scaled) return std::unexpected(worth_another_try(scaled.error()));
        if (!*scaled) return "";
        return std::unexpected(
            SinkError{.error = {Errc::absent, "metadata has a target-lifecycle-state, but "
                                              "DescribeAutoScalingInstances does not list " +
                                                  instance_id + " (yet)"}});
    }

    Outcome<std::optional<aws::GroupMember>> member(const std::string& instance_id,
                                                    Deadline deadline) {
        const auto call =
            aws::query("autoscaling", version, "DescribeAutoScalingInstances",
                       {{"InstanceIds.member.1", instance_id}}, "all resources (\"*\")");
        const auto body = client_.call(call, deadline);
        if (!body) return std::unexpected(sink_error(body.error()));
        auto found = aws::parse_group_member(*body, instance_id);
        if (!found)
            return std::unexpected(worth_another_try(found.error().with(call.permission())));
        return std::move(*found);
    }

    Outcome<void> find_hook(Target& to, Deadline deadline) {
        to.hook = config_.hook;
        if (!to.hook.empty()) return {};
        const auto call = aws::query("autoscaling", version, "DescribeLifecycleHooks",
                                     {{"AutoScalingGroupName", to.group}}, "all resources (\"*\")");
        const auto body = client_.call(call, deadline);
        if (!body) return std::unexpected(sink_error(body.error()));
        const auto hooks = aws::parse_launch_hooks(*body);
        if (!hooks)
            return std::unexpected(worth_another_try(hooks.error().with(call.permission())));
        if (hooks->size() > 1) return std::unexpected(which_of(to, *hooks));
        if (hooks->empty()) return {};
        to.hook = hooks->front().name;
        to.timeout = hooks->front().timeout;
        return {};
    }

    /// Another's hook waits for another's answer.
    SinkError which_of(const Target& to, const std::vector<aws::LaunchHook>& hooks) const {
        std::string names;
        for (const auto& hook : hooks)
            names += (names.empty() ? "" : ", ") + hook.name;
        return {
            .error = {Errc::conflict,
                      fmt::format("the group {} has {} launch hooks ({}), and report.to.{}.hook "
                                  "does not say which one is muster's",
                                  to.group, hooks.size(), names, config_.name)},
            .final = true};
    }

    // --- what is done

    Outcome<void> beat(const Target& to, Deadline deadline) {
        if (to.hook.empty()) {
            client_.warm("autoscaling", deadline);
            return {};
        }
        const auto sent = client_.call(record_heartbeat(to), deadline);
        if (sent || nothing_waits(sent.error())) return {};
        return std::unexpected(sink_error(sent.error()));
    }

    Outcome<void> approve(const Target& to, Deadline deadline) {
        if (to.hook.empty()) {
            log_nothing_done(config_, "no launch hook");
            return {};
        }
        const auto answered = answer(to, true, deadline);
        if (!answered) return std::unexpected(answered.error());
        if (!*answered) log_nothing_done(config_, "the hook " + to.hook + " does not wait");
        return {};
    }

    Outcome<void> condemn(const Target& to, Deadline deadline) {
        if (!to.hook.empty()) {
            const auto answered = answer(to, false, deadline);
            if (!answered) return std::unexpected(answered.error());
            if (*answered) return {};
        }
        const auto marked = client_.call(mark_unhealthy(to), deadline);
        if (!marked) return std::unexpected(sink_error(marked.error()));
        log::warning("marked unhealthy", {{"sink", config_.name}, {"group", to.group}});
        return {};
    }

    /// False where the hook does not wait for this instance.
    Outcome<bool> answer(const Target& to, bool well, Deadline deadline) {
        const auto sent = client_.call(complete(to, well), deadline);
        if (sent) return true;
        if (!nothing_waits(sent.error())) return std::unexpected(sink_error(sent.error()));
        // A boot may be quicker than the group: an answer that comes before the question is lost,
        // and the group would wait for it for an hour.
        const auto listed = this->member(to.instance_id, deadline);
        if (!listed) return std::unexpected(listed.error());
        const auto& member = *listed;
        const auto state = member ? member->state : "none";
        if (state != "Pending" && state != "Warmed:Pending") return false;
        return std::unexpected(
            SinkError{.error = {Errc::transient, fmt::format("the instance is {}: the hook {} does "
                                                             "not wait yet",
                                                             state, to.hook)}});
    }

    std::optional<Target> target_; ///< once it was found
};

} // namespace

std::unique_ptr<Sink> make_autoscaling(AwsParts parts) {
    return std::make_unique<AutoScaling>(std::move(parts));
}

} // namespace muster
