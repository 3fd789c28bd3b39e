// An endpoint of limited capacity, as the fleet's simulation sees it.
#pragma once

#include <expected>
#include <optional>
#include <random>

#include "agent/sinks/sink.h"

namespace muster::fleet {

/// What the endpoint does to whom, beside its capacity.
struct Conduct {
    double capacity = 0;    ///< requests that it takes a second
    Duration down_for{};    ///< from the beginning: nobody listens, connects are refused
    double loss = 0;        ///< share of the requests that are lost on their way
    Duration retry_after{}; ///< goes with a 503; zero: it says nothing
    Duration queue = std::chrono::seconds(1); ///< so much of work may wait
};

/// When a try ends, and how.
struct Ending {
    Instant at;
    std::expected<void, SinkError> result;
};

class Endpoint {
  public:
    explicit Endpoint(const Conduct& conduct)
        : conduct_(conduct), each_(static_cast<Duration::rep>(1e9 / conduct.capacity)) {}

    /// A try that begins `now`, and would wait for its answer for `limit`. In order of time.
    [[nodiscard]] Ending request(Instant now, Duration limit, std::mt19937_64& random) {
        if (now < Instant() + conduct_.down_for) return fails(now + way);
        if (std::bernoulli_distribution(conduct_.loss)(random)) return fails(now + limit);
        worked_off_ = std::max(worked_off_, now);
        if (worked_off_ + each_ - now > conduct_.queue) {
            return fails(now + way, conduct_.retry_after);
        }
        worked_off_ += each_;
        return {.at = worked_off_ + way, .result = {}};
    }

  private:
    static constexpr Duration way = std::chrono::milliseconds(10); // there and back

    [[nodiscard]] static Ending fails(Instant at, Duration retry_after = {}) {
        return {.at = at,
                .result = std::unexpected(
                    SinkError{.error = {Errc::transient, ""}, .retry_after = retry_after})};
    }

    Conduct conduct_;
    Duration each_;        ///< that one takes it
    Instant worked_off_{}; ///< when all that it has taken is
};

} // namespace muster::fleet
