#include "agent/aws/answer.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>

#include "agent/aws/xml.h"
#include "agent/sys/fields.h"
#include "agent/sys/json_text.h"
#include "probes/text.h"

namespace muster::aws {
namespace {

using Json = nlohmann::json;
using Names = std::span<const std::string_view>;

constexpr std::size_t max_message = 500;

std::string presentable(std::string_view text, std::size_t most) {
    std::string safe(probes::trimmed(text).substr(0, most));
    std::ranges::replace_if(safe, [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
    return safe;
}

std::optional<ServiceError> made(std::string_view code, std::string_view message) {
    ServiceError error{presentable(code, 100), presentable(message, max_message)};
    if (error.code.empty()) return std::nullopt;
    return error;
}

/// "com.amazon.coral.service#AccessDeniedException", "X:http://..." -> the code alone
std::string_view bare_code(std::string_view type) {
    type = type.substr(0, type.find(':'));
    return type.substr(type.find('#') == type.npos ? 0 : type.find('#') + 1);
}

std::optional<ServiceError> from_json(std::string_view body) {
    const auto json = parse_json(body);
    if (!json.is_object()) return std::nullopt;
    const auto message = fields::text(json, "message");
    return made(bare_code(fields::text(json, "__type")),
                message.empty() ? fields::text(json, "Message") : message);
}

std::optional<ServiceError> from_xml(std::string_view body) {
    const auto root = parse_xml(body);
    if (!root) return std::nullopt;
    const auto* list = root->child("Errors");
    const auto* error = (list == nullptr ? *root : *list).child("Error");
    if (error == nullptr) return std::nullopt;
    return made(error->text_of("Code"), error->text_of("Message"));
}

bool is_one_of(std::string_view code, Names names) {
    return std::ranges::find(names, code) != names.end();
}

// botocore's own list of throttling codes (its data/_retry.json), and what the services add.
constexpr std::string_view busy[] = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "InternalServiceError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "ResourceContention", // autoscaling: two changes of one group at a time
    "ScalingActivityInProgress",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "Unavailable"};

// cfn-signal tries these for ever: IAM needs a while to tell its services of a new key. EC2 says
// AuthFailure for it, and does not know the instance itself for more than a minute (why.md).
constexpr std::string_view not_known_yet[] = {"InvalidClientTokenId", "UnrecognizedClientException",
                                              "InvalidAccessKeyId", "AuthFailure",
                                              "InvalidInstanceID.NotFound"};

constexpr std::string_view of_the_clock[] = {"RequestTimeTooSkewed", "RequestExpired",
                                             "RequestInTheFuture", "SignatureDoesNotMatch",
                                             "InvalidSignatureException"};
constexpr std::string_view over[] = {"ExpiredToken", "ExpiredTokenException",
                                     "TokenRefreshRequired"};
constexpr std::string_view no_permission[] = {"AccessDenied", "AccessDeniedException",
                                              "UnauthorizedOperation", "NotAuthorized",
                                              "AuthorizationError"};

Result<const Element*> result_of(const Result<Element>& root, std::string_view result,
                                 std::string_view list) {
    if (!root) return fail(root.error());
    const auto* inner = root->child(result);
    const auto* found = inner == nullptr ? nullptr : inner->child(list);
    if (found == nullptr) {
        return fail(Errc::malformed, fmt::format("expected {} with {}, found the element {}",
                                                 result, list, probes::excerpt(root->name)));
    }
    return found;
}

} // namespace

std::optional<ServiceError> parse_service_error(std::string_view body) {
    return probes::trimmed(body).starts_with('{') ? from_json(body) : from_xml(body);
}

Meaning meaning_of(int status, const ServiceError& error) {
    if (is_one_of(error.code, no_permission)) return Meaning::denied;
    if (is_one_of(error.code, of_the_clock)) return Meaning::clock;
    if (is_one_of(error.code, over)) return Meaning::credentials;
    const bool passing = status >= 500 || status == 408 || status == 425 || status == 429;
    if (passing || is_one_of(error.code, busy) || is_one_of(error.code, not_known_yet))
        return Meaning::again;
    return Meaning::wrong;
}

Result<std::optional<GroupMember>> parse_group_member(std::string_view body,
                                                      std::string_view instance_id) {
    const auto root = parse_xml(body);
    const auto list = result_of(root, "DescribeAutoScalingInstancesResult", "AutoScalingInstances");
    if (!list) return fail(list.error());
    for (const auto& member : (*list)->children) {
        if (member.text_of("InstanceId") != instance_id) continue;
        GroupMember found{member.text_of("AutoScalingGroupName"), member.text_of("LifecycleState")};
        if (found.group.empty() || found.state.empty()) {
            return fail(Errc::malformed, "expected AutoScalingGroupName and LifecycleState of "
                                         "the instance, found it without them");
        }
        return found;
    }
    return std::nullopt;
}

Result<std::vector<LaunchHook>> parse_launch_hooks(std::string_view body) {
    const auto root = parse_xml(body);
    const auto list = result_of(root, "DescribeLifecycleHooksResult", "LifecycleHooks");
    if (!list) return fail(list.error());
    std::vector<LaunchHook> hooks;
    for (const auto& member : (*list)->children) {
        if (member.text_of("LifecycleTransition") != "autoscaling:EC2_INSTANCE_LAUNCHING") continue;
        LaunchHook hook{.name = member.text_of("LifecycleHookName")};
        if (hook.name.empty()) {
            return fail(Errc::malformed, "expected LifecycleHookName of each hook, found one "
                                         "without");
        }
        const auto text = member.text_of("HeartbeatTimeout");
        unsigned seconds = 0;
        std::from_chars(text.data(), text.data() + text.size(), seconds);
        hook.timeout = std::chrono::seconds(std::min(seconds, 172800U)); // 48 hours
        hooks.push_back(std::move(hook));
    }
    return hooks;
}

Result<std::optional<ServiceError>> parse_put_events(std::string_view body) {
    const auto json = parse_json(body);
    const auto entries = json.is_object() ? json.find("Entries") : json.end();
    if (!json.is_object() || entries == json.end() || !entries->is_array() ||
        entries->size() != 1 || !entries->front().is_object()) {
        return fail(Errc::malformed, fmt::format("expected an object with one of Entries, found {}",
                                                 probes::excerpt(body)));
    }
    const auto& entry = entries->front();
    if (!fields::text(entry, "EventId").empty()) return std::nullopt;
    auto error = made(fields::text(entry, "ErrorCode"), fields::text(entry, "ErrorMessage"));
    if (!error) return fail(Errc::malformed, "expected EventId or ErrorCode, found neither");
    return error;
}

} // namespace muster::aws
