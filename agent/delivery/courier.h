// Brings reports to their sinks: each sink on its own, so that one that hangs delays no other.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/sinks/sink.h"
#include "agent/sys/clock.h"
#include "agent/sys/schedule.h"

namespace muster {

struct Delivery {
    std::string sink;
    bool required = false;
    bool delivered = false;
    unsigned tries = 0;
    std::string error; ///< of the last try, "" when delivered
};

/// The waits of `run`. That they go on growing for as long as it may last keeps a fleet that booted
/// in the same second from falling on an endpoint that comes back after a minute: with a cap of
/// 15 s that was 8 times what it could take (tests/bench/fleet.cpp).
inline constexpr Backoff courier_backoff{.base = std::chrono::milliseconds(500),
                                         .cap = std::chrono::seconds(60)};
/// Those of `muster deliver`: what it has was tried for a minute, so the whole fleet may have it,
/// and the endpoint may need minutes for all of it.
inline constexpr Backoff deliver_backoff{.base = std::chrono::seconds(15),
                                         .cap = std::chrono::minutes(5)};
/// Of one try. `in-progress` is never worth the verdict's time, and a file on a stuck disk can't be
/// interrupted.
inline constexpr Duration try_limit = std::chrono::seconds(10);
inline constexpr Duration announce_try_limit = std::chrono::seconds(3);

/// When to try again after a try that failed; none where that is of no use, or would be too late:
/// the rest of the time is better spent on ending. Pure, and all that is decided between two tries,
/// so that tests/bench/fleet.cpp can ask it for 100,000 machines.
[[nodiscard]] std::optional<Instant> next_try(Schedule& schedule, const SinkError& error,
                                              Instant now, Deadline deadline);

/// Tries until delivered, refused for good, cancelled, or the deadline; `limit` is that of one try.
[[nodiscard]] Delivery deliver_with_retries(Sink& sink, const Message& message, Clock& clock,
                                            Deadline deadline, Schedule schedule,
                                            const std::atomic<bool>& cancelled,
                                            Duration limit = try_limit);

/// The waits between tries, other ones each time.
[[nodiscard]] Schedule fresh_schedule(Backoff backoff = courier_backoff);

/// Delivered, as the exit status means it: every required sink, or any one where none is required.
/// With no sink at all there is nothing to deliver.
[[nodiscard]] bool all_delivered(const std::vector<Delivery>& deliveries);

class Courier {
  public:
    explicit Courier(Clock& clock) : clock_(clock) {}
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    /// A sink that can't be made (its token can't be read, say) never delivers; that is told with
    /// the others and in the log.
    void add(const SinkConfig& config, const Files& files);

    /// Sends `in-progress` in the background, to be overtaken by the verdict at any time; where a
    /// sink has a heartbeat, again and again.
    void announce(const Message& message, Deadline deadline);

    /// Sends the verdict, which was just given, to every sink side by side and waits for all, to
    /// the deadline.
    [[nodiscard]] std::vector<Delivery> deliver(Message message, Deadline deadline);

  private:
    struct Route {
        SinkConfig config;
        std::unique_ptr<Sink> sink;
        std::string broken; ///< why there is no sink
        std::atomic<bool> overtaken = false;
        std::unique_ptr<Job> announcing;
    };
    void announce_on(Route& route, const Message& message, Deadline deadline);
    Delivery deliver_on(Route& route, const Message& message, Deadline deadline);

    Clock& clock_;
    std::vector<std::unique_ptr<Route>> routes_;
};

} // namespace muster
