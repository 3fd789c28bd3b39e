// A part of the program in a process of its own, which tells what it does while it does it.
//
// Whatever happens to the worker - it crashes, is killed, hangs in D state on a stuck disk - its
// parent goes on and still has every message that was sent until then.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "agent/sys/clock.h"
#include "agent/sys/fd.h"
#include "agent/sys/result.h"

namespace muster {

class Worker {
  public:
    static constexpr std::size_t max_message = 128 << 10; ///< bytes
    /// Sends one message; one that is empty or too long is dropped.
    using Send = std::function<void(std::string_view message)>;

    /// Forks; must be called before the first thread of this process. The worker holds no
    /// descriptor of ours but the standard ones, is in a process group of its own (a terminal's
    /// Ctrl-C is for the parent to decide on) and dies with its parent.
    [[nodiscard]] static Result<Worker> start(const std::function<void(const Send&)>& body);

    enum class Event {
        message,
        ended,       ///< no more messages: it is done, or dead
        deadline,    ///< nothing happened until then
        interrupted, ///< `interrupt` became readable
    };
    struct Next {
        Event event;
        std::string message;
    };
    /// `interrupt`: a descriptor to watch, -1 for none.
    [[nodiscard]] Next next(const Clock& clock, Deadline deadline, int interrupt);

    /// After `ended`: "" where it ended well, else "killed by signal 11", "exit status 3".
    [[nodiscard]] std::string how_it_died();

    /// Sends SIGKILL and does not wait.
    void kill();

  private:
    Worker(pid_t pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}
    pid_t pid_ = -1;
    Fd socket_;
};

/// SIGTERM, SIGINT and SIGHUP as a descriptor that becomes readable; from here on they do nothing
/// else. Must be called before the first thread and before a worker is started.
[[nodiscard]] Result<Fd> catch_signals();

/// Whether one of them has come, or comes within that time.
[[nodiscard]] bool is_interrupted(int interrupt, Duration within);

/// Waits for one of them, `within` at most, and takes it. Nothing where none came.
[[nodiscard]] std::optional<int> next_signal(int interrupt, Duration within);

} // namespace muster
