// A sink that answers as a test says, and what it was sent.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "agent/sinks/sink.h"
#include "tests/fakes/fake_clock.h"

namespace muster {

class FakeSink : public Sink {
  public:
    using Answer = std::expected<void, SinkError>;
    using Handler = std::function<Answer(unsigned tries)>;

    /// `handler` is given the number of this try, from 1.
    explicit FakeSink(FakeClock& clock, Handler handler)
        : clock_(clock), handler_(std::move(handler)) {}

    [[nodiscard]] Answer deliver(const Message& message, Duration limit) override {
        messages.push_back(message);
        limits.push_back(limit);
        at.push_back(clock_.elapsed());
        return handler_(static_cast<unsigned>(at.size()));
    }

    [[nodiscard]] static Answer again(Duration retry_after = {}) {
        return std::unexpected(SinkError{
            .error = {Errc::transient, "not now"}, .retry_after = retry_after, .final = false});
    }
    [[nodiscard]] static Answer never() {
        return std::unexpected(SinkError{.error = {Errc::denied, "no"}, .final = true});
    }

    std::vector<Message> messages;
    std::vector<Duration> limits;
    std::vector<Duration> at; ///< since the test began

  private:
    FakeClock& clock_;
    Handler handler_;
};

} // namespace muster
