#include "agent/sys/isolate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sys/nursery.h"

namespace muster {

namespace {

using nursery::Reply;
using nursery::Request;

std::string tell_seconds(Duration d) {
    const auto tenths = std::chrono::round<std::chrono::milliseconds>(d).count() / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

timespec to_timespec(Duration d) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(d);
    return {whole.count(), (d - whole).count()};
}

/// Waits until there is something to read, `limit` at most, by the clock as well as by poll: poll's
/// time stands still while the machine is suspended, a test's clock while poll waits.
bool readable(int fd, const Clock& clock, Deadline deadline) {
    constexpr Duration kSlice = std::chrono::seconds(1);
    pollfd entry{fd, POLLIN, 0};
    Duration left = deadline.left(clock);
    for (;;) {
        const Duration slice = std::min(left, kSlice);
        const timespec limit = to_timespec(slice);
        const int ready = ::ppoll(&entry, 1, &limit, nullptr);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        left = std::min(ready == 0 ? left - slice : left, deadline.left(clock));
        if (ready == 0 && left <= Duration::zero()) {
            return false;
        }
    }
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        const char* name = ::sigabbrev_np(signal);
        return "died of signal " + std::to_string(signal) +
               (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
    }
    return "ended with status " + std::to_string(WEXITSTATUS(status)) + " and no answer";
}

Result<std::string> read_memory(int memory, std::uint64_t size) {
    if (size > nursery::kMaxAnswer) {
        return fail(Errc::internal, "the helper's answer has an impossible size");
    }
    std::string text(size, '\0');
    for (std::size_t had = 0; had < text.size();) {
        const ssize_t n =
            ::pread(memory, text.data() + had, text.size() - had, static_cast<off_t>(had));
        if (n <= 0) {
            return fail(Errc::internal, "the helper's answer is cut short");
        }
        had += static_cast<std::size_t>(n);
    }
    return text;
}

class Call : public IsolatedCall {
  public:
    Call(const Clock& clock, Fd socket, Fd memory)
        : clock_(clock), started_(clock.now()), socket_(std::move(socket)),
          memory_(std::move(memory)) {}

    [[nodiscard]] bool ready(Deadline deadline) override {
        return readable(socket_.get(), clock_, deadline);
    }

    [[nodiscard]] Result<std::string> wait(Deadline deadline) override {
        return readable(socket_.get(), clock_, deadline) ? receive() : stuck();
    }

  private:
    [[nodiscard]] Result<std::string> stuck() const {
        return fail(Errc::stuck,
                    "neither success nor failure within " + tell_seconds(clock_.now() - started_));
    }

    [[nodiscard]] Result<std::string> receive() const {
        Reply reply;
        // The reply stays where it is, for whoever else waits for it or asks again.
        constexpr int flags = MSG_DONTWAIT | MSG_PEEK;
        if (::recv(socket_.get(), &reply, sizeof(reply), flags) != sizeof(reply)) {
            return fail(Errc::internal, "the nursery is gone");
        }
        switch (reply.kind) {
        case Reply::Kind::answer: return read_memory(memory_.get(), reply.size);
        case Reply::Kind::too_large:
            return fail(Errc::too_large,
                        "an answer of " + std::to_string(reply.size) + " bytes from a helper");
        case Reply::Kind::exception:
            return fail(Errc::internal, "exception in a helper: " +
                                            read_memory(memory_.get(), reply.size).value_or("?"));
        case Reply::Kind::not_begun: return fail_errno(reply.value, "can't run a helper");
        case Reply::Kind::ended:
            return fail(Errc::internal, "the helper " + how_it_ended(reply.value));
        }
        return fail(Errc::internal, "a helper's answer of an unknown kind");
    }

    const Clock& clock_;
    Instant started_;
    Fd socket_; ///< when it is closed the nursery kills what still runs
    Fd memory_;
};

Result<Fd> to_memory(std::string_view argument) {
    if (argument.size() > nursery::kMaxArgument) {
        return fail(Errc::too_large,
                    "an argument of " + std::to_string(argument.size()) + " bytes for a helper");
    }
    Fd memory(::memfd_create("muster-call", MFD_CLOEXEC));
    if (!memory) {
        return fail_errno(errno, "can't get memory for a helper");
    }
    while (!argument.empty()) {
        const ssize_t n = ::write(memory.get(), argument.data(), argument.size());
        if (n < 0) {
            return fail_errno(errno, "can't fill a helper's memory");
        }
        argument.remove_prefix(static_cast<std::size_t>(n));
    }
    return memory;
}

class NurseryIsolate : public Isolate {
  public:
    NurseryIsolate(const Clock& clock, Fd control, pid_t nursery)
        : clock_(clock), control_(std::move(control)), nursery_(nursery) {}

    ~NurseryIsolate() override {
        control_.close(); // the nursery ends at this, and its helpers with it
        ::kill(nursery_, SIGKILL);
        // It does nothing that can hang, but nothing is worth waiting for without a bound.
        for (int i = 0; i < 100 && ::waitpid(nursery_, nullptr, WNOHANG) == 0; ++i) {
            const timespec pause{0, 2'000'000};
            ::nanosleep(&pause, nullptr);
        }
    }

    NurseryIsolate(const NurseryIsolate&) = delete;
    NurseryIsolate& operator=(const NurseryIsolate&) = delete;

    [[nodiscard]] Result<std::unique_ptr<IsolatedCall>> start(IsolatedFunction function,
                                                              std::string_view argument) override {
        auto memory = to_memory(argument);
        if (!memory) {
            return fail(std::move(memory.error()));
        }
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
            return fail_errno(errno, "can't get a socket for a helper");
        }
        Fd near(pair[0]);
        const Fd far(pair[1]);
        if (auto sent = send({function, argument.size()}, far.get(), memory->get()); !sent) {
            return fail(std::move(sent.error()));
        }
        return std::make_unique<Call>(clock_, std::move(near), std::move(*memory));
    }

  private:
    /// No lock: a SEQPACKET message is sent whole or not at all, whoever else sends.
    Result<void> send(Request request, int call, int memory) {
        iovec data{&request, sizeof(request)};
        const std::array<int, 2> fds{call, memory};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(fds))> space{};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(fds));
        std::memcpy(CMSG_DATA(header), fds.data(), sizeof(fds));
        for (int tries = 0; tries < 1000; ++tries) {
            if (::sendmsg(control_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
                return {};
            }
            if (errno != EAGAIN && errno != EINTR) {
                return fail_errno(errno, "the nursery is gone");
            }
            pollfd entry{control_.get(), POLLOUT, 0}; // hundreds of calls at once
            ::poll(&entry, 1, 1);
        }
        return fail(Errc::internal, "the nursery takes no calls");
    }

    const Clock& clock_;
    Fd control_;
    pid_t nursery_;
};

} // namespace

Result<std::unique_ptr<Isolate>> make_isolate(const Clock& clock) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        return fail_errno(errno, "can't get the nursery's socket");
    }
    Fd near(pair[0]);
    const Fd far(pair[1]);
    const pid_t agent = ::getpid();
    // No signal until the nursery ignores those that it has to: a Ctrl-C in its first millisecond
    // would leave the agent without one.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    const int error = errno;
    if (pid == 0) {
        nursery::run(far.get(), agent);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        return fail_errno(error, "can't fork the nursery");
    }
    return std::make_unique<NurseryIsolate>(clock, std::move(near), pid);
}

} // namespace muster
