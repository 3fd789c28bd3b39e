// For people: the line on the machine's console and the live line on a terminal.
#pragma once

#include <string>
#include <string_view>

#include "agent/record.h"
#include "agent/sys/clock.h"

namespace muster {

/// One line on /dev/console, without ever blocking: at three in the morning the console output is
/// what is left. Lost where the console can't take it at once.
void console_line(std::string_view text);

/// While the boot job goes on: a live line on a terminal, plain log lines anywhere else.
class LiveProgress {
  public:
    explicit LiveProgress(const Clock& clock, Instant start);
    ~LiveProgress();
    LiveProgress(const LiveProgress&) = delete;
    LiveProgress& operator=(const LiveProgress&) = delete;

    /// An event, just added to the record: what matters of it as a line of the log.
    void show(const nlohmann::json& event, const Record& record);
    /// The time has gone on: draws the live line anew.
    void tick(const Record& record);

  private:
    void draw(const Record& record);
    static void show_end(const Record& record, const std::string& name);
    void clear();

    const Clock& clock_;
    Instant start_;
    bool terminal_;
    bool drawn_ = false;
};

} // namespace muster
