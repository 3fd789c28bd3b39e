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

/// Not a page of something else that sits at that address.
bool is_token(std::string_view body) {
    return !body.empty() && body.find_first_of("\r\n <") == body.npos;
}

/// "http://169.254.169.254:80" reached at fd00:ec2::254 -> "http://[fd00:ec2::254]:80"
std::string endpoint_at(std::string_view endpoint, std::string_view address) {
    const auto host = endpoint.find("//") + 2;
    const auto after = endpoint.substr(host).starts_with('[') ? endpoint.find(']', host) : host;
    const auto port = std::min(endpoint.find(':', after), endpoint.size());
    const bool v6 = address.find(':') != address.npos;
    return fmt::format("{}{}{}{}{}", endpoint.substr(0, host), v6 ? "[" : "", address,
                       v6 ? "]" : "", endpoint.substr(port));
}

/// Some emulators and older clouds know no tokens; a hop limit of 1 loses the answer to the PUT
/// in a container, which looks like a time-out.
bool means_no_tokens(const ReadingError& error, int status) {
    return error.error.code == Errc::timed_out || status == 404 || status == 405 || status == 501;
}

} // namespace

MetadataAccess well_known_access() {
    return {.addresses = {"169.254.169.254", "fd00:ec2::254"}};
}

MetadataService::MetadataService(HttpClient& http, Clock& clock, MetadataAccess access)
    : http_(http), clock_(clock), access_(std::move(access)) {}

std::expected<HttpResponse, ReadingError> MetadataService::ask(HttpRequest request,
                                                               Deadline deadline) {
    if (deadline.passed(clock_)) {
        return std::unexpected(ReadingError{
            .error = {Errc::timed_out, fmt::format("instance metadata: {} {}: the deadline came",
                                                   request.method, request.url)},
            .of_service = true});
    }
    request.addresses = access_.addresses;
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

void MetadataService::take_token(HttpResponse response) {
    token_ = std::move(response.body);
    token_ends_ = clock_.now() + token_life - token_margin;
    keep(response.address);
}

void MetadataService::keep(std::string_view address) {
    if (access_.addresses.empty()) return;
    access_.endpoint = endpoint_at(access_.endpoint, address);
    access_.addresses.clear();
}

void MetadataService::prefer_the_other() {
    // An address that connects and then fails must not be the first for ever.
    std::ranges::reverse(access_.addresses);
}

std::expected<void, ReadingError> MetadataService::renew_token(Deadline deadline) {
    const HttpRequest request{
        .method = "PUT",
        .url = access_.endpoint + std::string(token_path),
        .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", std::to_string(token_life.count())}},
        .connect_limit = connect_limit,
        .total_limit = total_limit,
        .max_body = 4096,
    };
    const auto response = ask(request, deadline);
    if (response && response->status == 200 && is_token(response->body)) {
        take_token(*response);
        return {};
    }
    prefer_the_other();
    const int status = response ? response->status : 0;
    if (status == 200) {
        ++counters_.empty;
        return std::unexpected(ReadingError{
            .error = {Errc::empty, "instance metadata: the token request was answered 200 but "
                                   "without a token; something else may sit at that address"},
            .of_service = true});
    }
    auto refusal = response ? refuse(request, *response) : std::unexpected(response.error());
    refusal.error().of_service = true;
    if (access_.imdsv1 && means_no_tokens(refusal.error(), status)) {
        token_ends_ = clock_.now() + token_life; // then a token is tried for again
        return {};
    }
    // No token to be had says nothing of the value: it must not pass for "there is none".
    if (status == 404) refusal.error().error.code = Errc::transient;
    if (status == 403) {
        refusal.error().final = true;
        refusal.error().error.message =
            "instance metadata: the service is switched off for this instance (403 to the token "
            "request); switch it on with modify-instance-metadata-options --http-endpoint enabled";
    } else if (status == 400) {
        refusal.error().final = true; // our own request is wrong; saying it again won't mend it
    }
    return refusal;
}

std::expected<HttpResponse, ReadingError> MetadataService::get(std::string_view path,
                                                               Deadline deadline) {
    if (clock_.now() >= token_ends_) {
        token_.clear();
        if (auto renewed = renew_token(deadline); !renewed) return std::unexpected(renewed.error());
    }
    HttpRequest request{
        .url = fmt::format("{}/{}/{}", access_.endpoint, version, path),
        .connect_limit = connect_limit,
        .total_limit = total_limit,
        .max_body = max_body,
    };
    if (!token_.empty()) request.headers = {{"X-aws-ec2-metadata-token", token_}};
    auto response = ask(request, deadline);
    if (!response) {
        prefer_the_other();
        return std::unexpected(response.error());
    }
    if (response->status == 401) token_ends_ = {}; // whatever is read next gets a new one first
    if (response->status != 200) return refuse(request, *response);
    keep(response->address); // without tokens, this is what tells which one serves
    return std::move(*response);
}

std::expected<std::string, ReadingError> MetadataService::read(std::string_view path,
                                                               Deadline deadline) {
    auto response = get(path, deadline);
    if (!response && response.error().error.code == Errc::unauthorized) {
        // The token ended early, or is another instance's (a memory snapshot). Once a use: a
        // service that refuses its own tokens is not itself yet, and is given time.
        ++counters_.retries;
        response = get(path, deadline);
    }
    if (!response) return std::unexpected(response.error());
    if (response->body.find_first_not_of(" \t\r\n") == std::string::npos) {
        ++counters_.empty;
        return std::unexpected(ReadingError{
            .error = {Errc::empty,
                      fmt::format("instance metadata: {}: answered 200 without content", path)}});
    }
    counters_.imdsv1 |= token_.empty();
    return std::move(response->body);
}

} // namespace muster::probes
