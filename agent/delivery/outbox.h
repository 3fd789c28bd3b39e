// The reports of a resident process on their way: each is kept until its sink has it.
//
// Nobody waits for a sink here: `turn` collects what has ended and begins what is due. The one
// retry layer is this: one try at a time for each sink, capped backoff with full jitter between
// them, Retry-After honoured.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/background.h"
#include "agent/delivery/leftovers.h"
#include "agent/delivery/spool.h"
#include "agent/sinks/sink.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/schedule.h"

namespace muster {

/// As `make_sink`, for tests to stand in.
using SinkMaker = std::function<Result<std::unique_ptr<Sink>>(const SinkConfig&,
                                                              std::function<bool()> cancelled)>;

class Outbox {
  public:
    /// `far`: what survives a reboot; none where it must not be touched.
    Outbox(const Files& files, Clock& clock, SinkMaker make_sink, FarSpool* far = nullptr);
    ~Outbox();
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    /// The sinks from now on; what is on its way to one that stays, by its name, goes on. Only
    /// while not busy, and while the process has one thread: a file sink isolates its writing.
    void open(const std::vector<SinkConfig>& sinks);

    /// Begins to take in what an earlier process of ours left in the spool, also before a reboot,
    /// once it is `quiet` old: a `run` that is under way delivers its own. It is there when `turn`
    /// has collected it.
    void pick_up(const std::string& boot_id, Duration quiet);

    /// To each sink, after what is on its way there already, until it is delivered or refused for
    /// good. Kept in the spool meanwhile.
    void put(const nlohmann::ordered_json& report);

    /// The same, but worth one try only, and none where something else is on its way: a sign of
    /// life.
    void put_once(const nlohmann::ordered_json& report);

    /// `begin`: whether new tries may begin.
    void turn(bool begin);
    [[nodiscard]] bool busy() const;
    /// When the next try is due; far away where nothing is on its way.
    [[nodiscard]] Instant next() const;

    /// Everything that is on its way, tried until the deadline and not an instant longer. False
    /// where a try hangs beyond it: then nothing of this may be destroyed, and the process is to
    /// leave by _exit.
    [[nodiscard]] bool close(Deadline deadline);

    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
    /// How many wait for a sink, or were refused by it.
    [[nodiscard]] std::size_t undelivered() const;

  private:
    struct Route;

    [[nodiscard]] std::unique_ptr<Route> make_route(const SinkConfig& config) const;
    void take_in();
    void take_in(Route& route, const SpoolEntry& entry);
    [[nodiscard]] bool claim(Route& route);
    void drop(const SpoolEntry& entry);
    void begin_far_drops();
    void begin(Route& route);
    void collect(Route& route);
    void take_success(Route& route);
    void take_failure(Route& route, const SinkError& error);
    void bound(Route& route);
    void begin_last(Route& route, Deadline deadline);
    void collect_last(Route& route);

    const Files& files_;
    Clock& clock_;
    SinkMaker make_sink_;
    Spool spool_;
    std::vector<std::unique_ptr<Route>> routes_;
    std::uint64_t delivered_ = 0;

    Background reading_; ///< of the spool: a disk of it may hang
    Leftovers found_;    ///< the reading's own until its end was taken
    std::string boot_id_;
    Duration quiet_{};
    Background dropping_;
    std::vector<std::string> far_drops_; ///< to be dropped where that may hang
};

} // namespace muster
