// What AWS says in its answers: errors of both protocols that we speak, and of the answers to
// Describe calls what the sinks need. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster::aws {

/// "AccessDenied", and a sentence in printable ASCII, cut at 500 bytes.
struct ServiceError {
    std::string code;
    std::string message;
    friend bool operator==(const ServiceError&, const ServiceError&) = default;
};

/// From `<ErrorResponse><Error>` (autoscaling, cloudformation, sqs), `<Response><Errors><Error>`
/// (ec2) or `{"__type": "prefix#Code", "message": ...}` (events). Nothing where the body is none of
/// these: a proxy's page, say.
[[nodiscard]] std::optional<ServiceError> parse_service_error(std::string_view body);

/// What an error means to whoever asked.
enum class Meaning {
    again,       ///< throttled, busy, or not known there yet: right after launch the service does
                 ///< not know a role's new key or the instance itself for a minute and more
    clock,       ///< it does not like the time of our signature
    credentials, ///< those that we have are over
    denied,      ///< the role lacks a permission
    wrong,       ///< the request will never be taken
};
[[nodiscard]] Meaning meaning_of(int status, const ServiceError& error);

/// Where an instance stands in its Auto Scaling group.
struct GroupMember {
    std::string group;
    std::string state; ///< "Pending:Wait", "InService", "Warmed:Stopped"
    friend bool operator==(const GroupMember&, const GroupMember&) = default;
};
/// Of the answer to DescribeAutoScalingInstances. Nothing: the instance is in no group.
[[nodiscard]] Result<std::optional<GroupMember>> parse_group_member(std::string_view body,
                                                                    std::string_view instance_id);

/// Of the answer to DescribeLifecycleHooks: the hooks that wait at a launch.
struct LaunchHook {
    std::string name;
    Duration timeout{}; ///< without a heartbeat for so long the wait is over; zero: not said
    friend bool operator==(const LaunchHook&, const LaunchHook&) = default;
};
[[nodiscard]] Result<std::vector<LaunchHook>> parse_launch_hooks(std::string_view body);

/// Of the answer to PutEvents with one entry, which is a 200 even where the entry was not taken.
[[nodiscard]] Result<std::optional<ServiceError>> parse_put_events(std::string_view body);

} // namespace muster::aws
