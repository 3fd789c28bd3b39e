#include "agent/aws/client.h"

#include <fmt/format.h>

#include "agent/aws/answer.h"
#include "agent/aws/endpoint.h"
#include "agent/aws/sigv4.h"
#include "agent/sys/log.h"
#include "agent/sys/retry_after.h"
#include "probes/text.h"

namespace muster::aws {
namespace {

constexpr Duration connect_limit = std::chrono::seconds(3);
// AWS takes a signature that is five minutes off; what is less than this is no reason for its no.
constexpr auto worth_correcting = std::chrono::minutes(1);
constexpr std::size_t max_body = 256 << 10;

std::string form_body(const Parameters& parameters) {
    std::string body;
    for (const auto& [name, value] : parameters)
        body += fmt::format("{}{}={}", body.empty() ? "" : "&", percent_encoded(name),
                            percent_encoded(value));
    return body;
}

HttpRequest request_of(const Call& call, std::string url) {
    HttpRequest request{.method = "POST", .url = std::move(url)};
    if (call.target.empty()) {
        request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
        request.body = form_body(call.parameters);
    } else {
        request.headers = {{"Content-Type", "application/x-amz-json-1.1"},
                           {"X-Amz-Target", call.target}};
        request.body = call.json;
    }
    return request;
}

/// Metadata that fails now may be well later: a role's credentials come seconds after the boot, an
/// instance profile can be attached at any time.
Refusal of_surroundings(const Error& error) {
    return {.error = error, .final = false};
}

std::string denied_text(const Call& call, const ServiceError& error) {
    return fmt::format("denied: the instance's role needs {} on {} (docs/aws.md); AWS says: {}: {}",
                       call.permission(), call.on, error.code, error.message);
}

} // namespace

std::string Call::shown() const {
    std::string text;
    for (const auto& [name, value] : parameters)
        text += fmt::format("    {}={}\n", name, value);
    if (!target.empty()) text += fmt::format("    {}\n    {}\n", target, json);
    return text;
}

Call query(std::string service, std::string version, std::string action, Parameters parameters,
           std::string on) {
    Call call{.service = std::move(service), .action = std::move(action), .on = std::move(on)};
    call.parameters = {{"Action", call.action}, {"Version", std::move(version)}};
    call.parameters.insert(call.parameters.end(), std::make_move_iterator(parameters.begin()),
                           std::make_move_iterator(parameters.end()));
    return call;
}

Client::Client(std::unique_ptr<HttpClient> http, Clock& clock, Surroundings& around,
               Options options)
    : http_(std::move(http)), clock_(clock), around_(around), options_(std::move(options)) {}

Answer<std::string> Client::region(Deadline deadline) {
    if (!options_.region.empty()) return options_.region;
    const auto place = around_.place(deadline);
    if (!place) return std::unexpected(of_surroundings(place.error()));
    return place->region;
}

Answer<std::string> Client::url_of(const Call& call, Deadline deadline) {
    if (!call.url.empty()) return normal_url(call.url);
    if (!options_.endpoint.empty()) return normal_url(options_.endpoint);
    const auto where = region(deadline);
    if (!where) return std::unexpected(where.error());
    const auto place = around_.place(deadline);
    if (!place) return std::unexpected(of_surroundings(place.error()));
    return endpoint_of(call.service, *where, place->domain);
}

Answer<HttpResponse> Client::attempt(const Call& call, Deadline deadline) {
    const auto where = region(deadline);
    if (!where) return std::unexpected(where.error());
    auto url = url_of(call, deadline);
    if (!url) return std::unexpected(url.error());
    const auto credentials = around_.credentials(wall(), deadline);
    if (!credentials) return std::unexpected(of_surroundings(credentials.error()));
    if (deadline.passed(clock_)) {
        return std::unexpected(
            Refusal{.error = {Errc::timed_out, call.permission() + ": the deadline came"}});
    }
    auto request = request_of(call, std::move(*url));
    auto signature =
        sign(request, {.region = *where, .service = call.service}, *credentials, wall());
    for (auto& header : signature.headers)
        request.headers.push_back(std::move(header));
    request.total_limit = deadline.left(clock_);
    request.connect_limit = std::min(connect_limit, request.total_limit);
    request.max_body = max_body;
    auto response = http_->attempt(request);
    if (!response) {
        const auto& error = response.error();
        return std::unexpected(
            Refusal{.error = error.with(call.permission()),
                    .final = !is_retryable(error.code) && error.code != Errc::interrupted});
    }
    return std::move(*response);
}

Answer<std::string> Client::call(const Call& call, Deadline deadline) {
    auto response = attempt(call, deadline);
    // Once: a second Date that differs as much would be no clock.
    if (response && response->status >= 400 && adopt_clock_of(*response))
        response = attempt(call, deadline);
    if (!response) return std::unexpected(response.error());
    if (response->status >= 200 && response->status < 300) return std::move(response->body);
    return std::unexpected(refusal(call, *response));
}

/// True where the answer complains of the time, or of a signature that the time may have spoilt
/// (EC2 says AuthFailure), and its Date tells another time than the one that we signed with.
bool Client::adopt_clock_of(const HttpResponse& response) {
    const auto error = parse_service_error(response.body);
    const auto date = parse_http_date(response.header("date").value_or(""));
    if (!error || !date) return false;
    if (meaning_of(response.status, *error) != Meaning::clock && error->code != "AuthFailure")
        return false;
    const auto difference = *date - wall();
    if (std::chrono::abs(difference) < worth_correcting) return false;
    skew_ += difference;
    log::warning("the clock is off: requests to AWS are signed with its time",
                 {{"seconds", std::to_string(skew_.count() / 1000)}});
    return true;
}

Refusal Client::refusal(const Call& call, const HttpResponse& response) {
    const auto retry_after = response.header("retry-after");
    Refusal refusal{.retry_after = retry_after ? parse_retry_after(*retry_after, clock_.wall())
                                               : Duration::zero()};
    auto error = parse_service_error(response.body);
    if (!error) {
        const auto status = response.status;
        refusal.final = meaning_of(status, {}) == Meaning::wrong;
        refusal.error = {refusal.final ? Errc::denied : Errc::transient,
                         fmt::format("{}: answered {}, expected AWS's own XML or JSON: {}",
                                     call.permission(), status, probes::excerpt(response.body))};
        return refusal;
    }
    refusal.code = error->code;
    const auto meaning = meaning_of(response.status, *error);
    if (meaning == Meaning::credentials) around_.forget_credentials();
    // A new key that is not known yet may also be one that is known no more.
    if (error->code == "InvalidClientTokenId" || error->code == "UnrecognizedClientException")
        around_.forget_credentials();
    refusal.final = meaning == Meaning::denied || meaning == Meaning::wrong;
    refusal.error = {refusal.final ? Errc::denied : Errc::transient,
                     meaning == Meaning::denied
                         ? denied_text(call, *error)
                         : fmt::format("{}: answered {} {}: {}", call.permission(), response.status,
                                       error->code, error->message)};
    return refusal;
}

void Client::warm(const std::string& service, Deadline deadline) {
    const auto url = url_of({.service = service}, deadline);
    if (!url) return;
    (void)around_.credentials(wall(), deadline);
    if (deadline.passed(clock_)) return;
    const auto limit = std::min(connect_limit, deadline.left(clock_));
    // Whatever it answers: name, certificate and connection are known then.
    (void)http_->attempt(
        {.url = *url, .connect_limit = limit, .total_limit = limit, .max_body = max_body});
}

} // namespace muster::aws
