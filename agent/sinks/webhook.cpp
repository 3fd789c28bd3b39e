#include <fmt/format.h>

#include "agent/sinks/sink.h"
#include "agent/sys/retry_after.h"

namespace muster {
namespace {

constexpr Duration connect_limit = std::chrono::seconds(3);

bool worth_another_try(int status) {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

class Webhook : public Sink {
  public:
    Webhook(std::string url, std::string token, std::unique_ptr<HttpClient> http,
            const Clock& clock)
        : url_(std::move(url)), token_(std::move(token)), http_(std::move(http)), clock_(clock) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        HttpRequest request{
            .method = "POST",
            .url = url_,
            .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", message.key}},
            .body = message.body,
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
    const Clock& clock_;
};

} // namespace

std::unique_ptr<Sink> make_webhook(std::string url, std::string token,
                                   std::unique_ptr<HttpClient> http, const Clock& clock) {
    return std::make_unique<Webhook>(std::move(url), std::move(token), std::move(http), clock);
}

} // namespace muster
