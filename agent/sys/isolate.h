// Run this where it may hang for ever, or die.
//
// A read of a stuck volume, or starting a program from a stuck root, neither succeeds nor fails;
// the process that tries sits in D state and not even SIGKILL ends it. So whatever can hang runs in
// a process of its own, which is abandoned at the deadline. Threads, AIO and io_uring do not help:
// a thread in D state keeps its whole process from exiting.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster {

/// What runs in the helper: a plain function from bytes to bytes. The helper is a copy of this very
/// process, so a function's address is all it takes to name the work.
using IsolatedFunction = std::string (*)(std::string_view argument);

/// A call under way; may be waited for from several threads. One that is destroyed is abandoned:
/// the helper is sent SIGKILL and left to it, and nobody ever waits for it.
class IsolatedCall {
  public:
    virtual ~IsolatedCall() = default;
    /// Whether the answer is there; waits for it until the deadline.
    [[nodiscard]] virtual bool ready(Deadline deadline) = 0;
    /// The function's answer, the same each time. `stuck` where there is none by the deadline: the
    /// helper goes on. `internal` where it died without an answer (the message says of which
    /// signal).
    [[nodiscard]] virtual Result<std::string> wait(Deadline deadline) = 0;
};

/// Makes helpers. It must exist before the first thread of its process: it forks one small process,
/// the nursery, which has no threads and touches no disk, and which forks a fresh helper for each
/// call. Helpers hold no descriptor but their own socket and memory, and standard error unless that
/// is a pipe (an inherited lock or pipe would hold up the next run). If the agent dies, so do the
/// nursery and its helpers; to be exact, if the thread dies that called make_isolate: call it from
/// the main one. Calls may be started, and waited for, from any thread. At most 1 MiB goes in and
/// 8 MiB come out (`too_large`).
class Isolate {
  public:
    virtual ~Isolate() = default;
    [[nodiscard]] virtual Result<std::unique_ptr<IsolatedCall>>
    start(IsolatedFunction function, std::string_view argument) = 0;
};

[[nodiscard]] Result<std::unique_ptr<Isolate>> make_isolate(const Clock& clock);

} // namespace muster
