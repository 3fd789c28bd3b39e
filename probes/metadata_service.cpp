#include "probes/metadata_service.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/retry_after.h"

namespace muster::probes {
namespace {

// Content is read at a fixed version, so that a change of "latest" can't change what we parse; the
// token exists under "latest" only (403 elsewhere: afterburn's source).
constexpr std::string_view version = "2021-07-15";
constexpr std::string_view token_path = "/latest/api/token";

// Longer than the default deadline of all metadata work, short enough that a token baked into an
// image by a snapshot of memory is soon worthless.
constexpr auto token_life = std::chrono::seconds(300);
constexpr auto token_margin = std::chrono::seconds(30);

// The service is link-local: it answers within milliseconds or it doesn't. A longer wait for one
// try only takes time from the next.
constexpr auto connect_limit = std::chrono::seconds(1);
constexpr auto total_limit = std::chrono::seconds(2);
constexpr std::size_t max_body = 64 << 10;

Errc errc_of(int status) {
    switch (status) {
    case 400: return Errc::malformed;
    case 401: return Errc::unauthorized;
    case 403: return Errc::denied;
    case 404: return Errc::absent;
    case 429:
    case 503: return Errc::throttled;
    default: return status >= 500 ? Errc::transient : Errc::malformed;
    }
}

} // namespace

MetadataService::MetadataService(HttpClient& http, Clock& clock, std::string endpoint)
    : http_(http), clock_(clock), endpoint_(std::move(endpoint)) {}

std::expected<HttpResponse, ReadingError> MetadataService::ask(HttpRequest request,
                                                               Deadline deadline) {
    if (deadline.passed(clock_)) {
        return std::unexpected(ReadingError{
            .error = {Errc::timed_out, fmt::format("instance metadata: {} {}: the deadline came",
                                                   request.method, request.url)},
            .of_service = true});
    }
    request.total_limit = std::min(request.total_limit, deadline.left(clock_));
    request.connect_limit = std::min(request.connect_limit, request.total_limit);
    ++counters_.requests;
    auto response = http_.attempt(request);
    if (!response) {
        ++counters_.failures[std::string(to_string(response.error().code))];
        // No answer at all is the service's state, not this value's.
        return std::unexpected(
            ReadingError{.error = response.error().with("instance metadata"), .of_service = true});
    }
    return std::move(*response);
}

std::unexpected<ReadingError> MetadataService::refuse(const HttpRequest& request,
                                                      const HttpResponse& response) {
    ++counters_.failures[fmt::format("http {}", response.status)];
    const Errc code = errc_of(response.status);
    const auto retry_after = response.header("retry-after");
    return std::unexpected(ReadingError{
        .error = {code, fmt::format("instance metadata: {} {}: answered {}, expected 200",
                                    request.method, request.url, response.status)},
        .retry_after =
            retry_after ? parse_retry_after(*retry_after, clock_.wall()) : Duration::zero(),
        .of_service = code == Errc::throttled || code == Errc::unauthorized,
    });
}

std::expected<void, ReadingError> MetadataService::renew_token(Deadline deadline) {
    const HttpRequest request{
        .method = "PUT",
        .url = endpoint_ + std::string(token_path),
        .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", std::to_string(token_life.count())}},
        .connect_limit = connect_limit,
        .total_limit = total_limit,
        .max_body = 4096,
    };
    auto response = ask(request, deadline);
    if (!response) return std::unexpected(response.error());
    if (response->status == 200) {
        if (response->body.empty() || response->body.find_first_of("\r\n <") != std::string::npos) {
            ++counters_.empty;
            return std::unexpected(ReadingError{
                .error = {Errc::empty, "instance metadata: the token request was answered 200 but "
                                       "without a token; something else may sit at that address"},
                .of_service = true});
        }
        token_ = response->body;
        token_ends_ = clock_.now() + token_life - token_margin;
        return {};
    }
    auto refusal = refuse(request, *response);
    refusal.error().of_service = true;
    // No token to be had says nothing of the value: it must not pass for "there is none".
    if (response->status == 404) refusal.error().error.code = Errc::transient;
    if (response->status == 403) {
        refusal.error().final = true;
        refusal.error().error.message =
            "instance metadata: the service is switched off for this instance (403 to the token "
            "request); switch it on with modify-instance-metadata-options --http-endpoint enabled";
    } else if (response->status == 400) {
        refusal.error().final = true; // our own request is wrong; saying it again won't mend it
    }
    return refusal;
}

std::expected<std::string, ReadingError> MetadataService::read(std::string_view path,
                                                               Deadline deadline) {
    if (token_.empty() || clock_.now() >= token_ends_) {
        if (auto renewed = renew_token(deadline); !renewed) return std::unexpected(renewed.error());
    }
    const HttpRequest request{
        .url = fmt::format("{}/{}/{}", endpoint_, version, path),
        .headers = {{"X-aws-ec2-metadata-token", token_}},
        .connect_limit = connect_limit,
        .total_limit = total_limit,
        .max_body = max_body,
    };
    auto response = ask(request, deadline);
    if (!response) return std::unexpected(response.error());
    if (response->status == 401) token_.clear(); // the next reading asks for a new one
    if (response->status != 200) return refuse(request, *response);
    if (response->body.find_first_not_of(" \t\r\n") == std::string::npos) {
        ++counters_.empty;
        return std::unexpected(ReadingError{
            .error = {Errc::empty,
                      fmt::format("instance metadata: {}: answered 200 without content", path)}});
    }
    return std::move(response->body);
}

} // namespace muster::probes
