#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/sinks/sink.h"
#include "agent/sys/json_text.h"
#include "agent/sys/log.h"
#include "agent/sys/retry_after.h"

namespace muster {
namespace {

constexpr Duration connect_limit = std::chrono::seconds(3);
// Of one try's time, for what goes along. A healthy service needs some milliseconds.
constexpr Duration identity_limit = std::chrono::seconds(2);

bool worth_another_try(int status) {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

class Webhook : public Sink {
  public:
    Webhook(std::string url, std::string token, std::unique_ptr<HttpClient> http, Clock& clock,
            IdentitySource identity)
        : url_(std::move(url)), token_(std::move(token)), http_(std::move(http)), clock_(clock),
          identity_(std::move(identity)) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto deadline = Deadline::in(clock_, limit);
        auto body = with_identity(message.body, deadline.clipped(clock_, identity_limit));
        limit = deadline.left(clock_);
        HttpRequest request{
            .method = "POST",
            .url = url_,
            .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", message.key}},
            .body = std::move(body),
            .connect_limit = std::min(limit, connect_limit),
            .total_limit = limit,
            .max_body = 64 << 10};
        if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
        const auto response = http_->attempt(request);
        if (!response) {
            const auto& error = response.error();
            return std::unexpected(
                SinkError{.error = error,
                          .final = !is_retryable(error.code) && error.code != Errc::interrupted});
        }
        if (response->status >= 200 && response->status < 300) return {};
        return std::unexpected(refusal(*response));
    }

  private:
    /// Put in here, and nowhere else: it is in no file, and in no other sink's report.
    [[nodiscard]] std::string with_identity(const std::string& body, Deadline deadline) {
        if (!identity_) return body;
        auto report = parse_ordered_json(body);
        const auto identity = identity_(deadline);
        if (!identity)
            log::warning("report without identity", {{"error", identity.error().message}});
        if (!identity || !report.is_object()) return body;
        report["identity"] = *identity;
        return to_text(report);
    }

    [[nodiscard]] SinkError refusal(const HttpResponse& response) const {
        const bool again = worth_another_try(response.status);
        const auto retry_after = response.header("retry-after");
        return {.error = {again ? Errc::transient : Errc::denied,
                          fmt::format("answered {}, expected 2xx: {}", response.status,
                                      without_token(response.body).substr(0, 500))},
                .retry_after =
                    retry_after ? parse_retry_after(*retry_after, clock_.wall()) : Duration::zero(),
                .final = !again};
    }

    /// Some receivers repeat what they were sent.
    [[nodiscard]] std::string without_token(std::string text) const {
        for (auto at = token_.empty() ? text.npos : text.find(token_); at != text.npos;
             at = text.find(token_, at)) {
            text.replace(at, token_.size(), "***");
            at += 3;
        }
        return text;
    }

    std::string url_;
    std::string token_;
    std::unique_ptr<HttpClient> http_;
    Clock& clock_;
    IdentitySource identity_;
};

} // namespace

std::unique_ptr<Sink> make_webhook(std::string url, std::string token,
                                   std::unique_ptr<HttpClient> http, Clock& clock,
                                   IdentitySource identity) {
    return std::make_unique<Webhook>(std::move(url), std::move(token), std::move(http), clock,
                                     std::move(identity));
}

} // namespace muster
