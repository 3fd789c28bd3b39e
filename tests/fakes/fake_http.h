// HTTP without a network: a function answers, every request is kept.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "agent/sys/http.h"
#include "tests/fakes/fake_clock.h"

namespace muster {

class FakeHttp : public HttpClient {
  public:
    using Handler = std::function<Result<HttpResponse>(const HttpRequest&)>;

    /// With a clock each attempt takes `latency`, one that times out its whole `total_limit`.
    explicit FakeHttp(Handler handler, FakeClock* clock = nullptr, Duration latency = {})
        : handler_(std::move(handler)), clock_(clock), latency_(latency) {}

    [[nodiscard]] Result<HttpResponse> attempt(const HttpRequest& request) override {
        requests.push_back(request);
        const auto started = clock_ != nullptr ? clock_->now() : Instant{};
        auto answer = handler_(request);
        if (clock_ != nullptr && clock_->now() == started) { // the handler itself may take time
            const bool late = !answer && answer.error().code == Errc::timed_out;
            clock_->advance(late ? request.total_limit : latency_);
        }
        return answer;
    }

    /// Shorthand for an answer: `return FakeHttp::answer(200, "ami-1");`
    [[nodiscard]] static HttpResponse answer(int status, std::string body = "",
                                             std::vector<HttpHeader> headers = {}) {
        return {status, std::move(headers), std::move(body)};
    }

    std::vector<HttpRequest> requests;

  private:
    Handler handler_;
    FakeClock* clock_;
    Duration latency_;
};

} // namespace muster
