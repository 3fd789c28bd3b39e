// The other side of isolate: the nursery process and the helpers it forks. Private to sys.
//
//   agent --control--> nursery --fork--> helper
//   agent <---- call socket ---- helper (the answer), nursery (how the helper ended)
//
// A call is one socket pair and one memfd. The memfd carries the argument there and the answer
// back, so that nobody ever blocks on a full socket; the socket carries one short message. The
// agent wants the helper gone when it closes its end: the nursery sees that (POLLHUP) and kills. So
// there are no call numbers and no pids in the agent, an abandoned call cannot be forgotten, and
// nothing newer than Linux 3.17 is needed (Amazon Linux 2 has 4.14: no pidfd, no close_range).
#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/sys/fd.h"
#include "agent/sys/isolate.h"

namespace muster::nursery {

constexpr std::size_t kMaxArgument = 1 << 20;
constexpr std::size_t kMaxAnswer = 8 << 20;

/// Agent to nursery, with two descriptors: the call socket's far end and the memfd.
struct Request {
    IsolatedFunction function = nullptr;
    std::uint64_t size = 0; ///< of the argument, in the memfd
};

/// To the agent, over the call socket. Both are SEQPACKET: a message comes whole or not at all.
struct Reply {
    enum class Kind : std::uint32_t {
        answer,    ///< from the helper: `size` bytes are in the memfd
        too_large, ///< from the helper: the answer had `size` bytes
        exception, ///< from the helper: what() is in the memfd
        not_begun, ///< from nursery or helper: `value` is the errno
        ended,     ///< from the nursery: `value` is the wait status
    };
    Kind kind = Kind::ended;
    std::int32_t value = 0;
    std::uint64_t size = 0;
};

/// The nursery's life, in its own process: until the control socket's end, or the agent's.
[[noreturn]] void run(int control, int agent_pid);

/// The helper's life: exactly one call. `call` and `memory` are descriptors 3 and 4 from here on.
[[noreturn]] void run_helper(const Request& request, int call, int memory, int nursery_pid);

/// Sends without ever blocking; false if it could not.
bool send_reply(int socket, const Reply& reply);

} // namespace muster::nursery
