// Brings reports to their sinks: each sink on its own, so that one that hangs delays no other.
#pragma once

#include <atomic>
#include <memory>
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

/// Tries until delivered, refused for good, cancelled, or the deadline; `limit` is that of one try.
[[nodiscard]] Delivery deliver_with_retries(Sink& sink, const Message& message, Clock& clock,
                                            Deadline deadline, Schedule schedule,
                                            const std::atomic<bool>& cancelled,
                                            Duration limit = std::chrono::seconds(10));

/// The waits between tries, other ones each time.
[[nodiscard]] Schedule fresh_schedule();

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
