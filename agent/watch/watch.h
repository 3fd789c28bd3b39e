// `muster watch`: stays, looks on an interval, and reports what changes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/background.h"
#include "agent/config/config.h"
#include "agent/delivery/letterhead.h"
#include "agent/delivery/outbox.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/schedule.h"
#include "agent/watch/eyes.h"
#include "agent/watch/hysteresis.h"
#include "agent/watch/seen_notices.h"

namespace muster {

/// Why the watch goes on after a wait.
enum class Wake {
    time,
    stop,   ///< SIGTERM or SIGINT
    reload, ///< SIGHUP
};

/// What the watch needs of the world; a test stands in for it.
struct WatchWorld {
    const Files& files;
    Clock& clock;
    Eyes& eyes;
    SinkMaker make_sink;
    /// Returns at that time, or earlier for a signal.
    std::function<Wake(Instant until)> wait;
    /// The configuration as it is now; nothing where it is wrong, which is logged.
    std::function<std::optional<Config>()> read_config;
    /// A state for the service manager: "READY=1".
    std::function<void(std::string_view state)> tell_manager;
    /// Writes the file of numbers; may hang, to the deadline.
    std::function<Result<void>(const std::string& path, std::string_view text, Deadline deadline)>
        publish;
    /// For people: what has become of the machine, in a line.
    std::function<void(std::string_view line)> tell_console;
    /// How often the service manager wants a sign of life; nothing: never.
    std::optional<Duration> ping_every;
    std::uint64_t seed = 0;  ///< of the jitter
    FarSpool* far = nullptr; ///< reports that survived a reboot
};

/// One loop that never waits for anything but its next moment: looks, tries to deliver and the file
/// of numbers go on beside it, one of each at a time. So a disk or an endpoint that hangs keeps
/// nothing else from being told, and the sign of life is the loop's own.
class Watch {
  public:
    Watch(WatchWorld world, Config config);

    /// Until it is told to stop. True where all of it has ended; else something hangs, and the
    /// process is to leave by _exit, destroying nothing.
    [[nodiscard]] bool run();

  private:
    void begin_look();
    void take_sight();
    void take_findings();
    void take_notices();
    void take_metadata_error();
    void report(const nlohmann::ordered_json& report, std::string_view line);
    void beat();
    void write_numbers(bool up);
    void ping();
    void turn();
    void begin_reload();
    void finish_reload();
    [[nodiscard]] bool say_goodbye();
    [[nodiscard]] bool write_last_numbers();

    [[nodiscard]] bool idle() const;
    [[nodiscard]] bool is_overdue() const;
    [[nodiscard]] Instant next_turn() const;
    /// Of sinks that are new.
    [[nodiscard]] Instant first_beat();
    [[nodiscard]] HysteresisRule rule() const;
    [[nodiscard]] Record record() const;
    void remember() const;
    void recall();

    WatchWorld world_;
    Config config_;
    Letterhead letterhead_;
    Outbox outbox_;
    Hysteresis hysteresis_;
    SeenNotices seen_;
    Schedule jitter_;

    Background look_;
    Background numbers_;
    Sight next_sight_; ///< the look's own until its end was taken
    Sight sight_;      ///< of the last look
    Instance instance_;
    bool metadata_fails_ = false;
    bool numbers_fail_ = false;
    Result<void> numbers_written_;

    Instant next_look_;
    Instant look_began_{};
    std::optional<WallTime> last_look_; ///< that has ended
    Instant next_beat_;
    Instant next_ping_;
    bool reloading_ = false;
};

} // namespace muster
