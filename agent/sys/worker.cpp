#include "agent/sys/worker.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster {
namespace {

constexpr int kSocket = STDERR_FILENO + 1;

std::string errno_text() {
    return std::error_code(errno, std::generic_category()).message();
}

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&set, signal);
    return set;
}

/// Its socket as descriptor 3, and nothing above that: an inherited lock would keep the next run
/// out for as long as a stuck worker hangs.
void keep_only(int socket) {
    if (socket != kSocket && dup3(socket, kSocket, O_CLOEXEC) < 0) _exit(1);
    closefrom(kSocket + 1);
}

[[noreturn]] void run_worker(int socket, pid_t parent,
                             const std::function<void(const Worker::Send&)>& body) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); // it died before we asked to be told
    prctl(PR_SET_NAME, "muster-boot");
    setpgid(0, 0);
    keep_only(socket);
    const sigset_t signals = ending_signals();
    sigprocmask(SIG_UNBLOCK, &signals, nullptr);

    body([](std::string_view message) {
        // An empty one would look like the end.
        if (message.empty() || message.size() > Worker::max_message) return;
        // Blocks while the parent is behind; MSG_NOSIGNAL since it may be gone.
        while (send(kSocket, message.data(), message.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    });
    // Not exit(): threads that hang must not be waited for, and nothing of the parent's is flushed
    // twice.
    _exit(0);
}

} // namespace

Result<Worker> Worker::start(const std::function<void(const Send&)>& body) {
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        return fail(Errc::internal, "socketpair: " + errno_text());
    }
    Fd ours(pair[0]);
    Fd theirs(pair[1]);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return fail(Errc::internal, "fork: " + errno_text());
    if (pid == 0) run_worker(theirs.get(), parent, body);
    return Worker(pid, std::move(ours));
}

Worker::Next Worker::next(const Clock& clock, Deadline deadline, int interrupt) {
    std::array<pollfd, 2> watched{pollfd{socket_.get(), POLLIN, 0}, pollfd{interrupt, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left(clock));
    const int ready = poll(watched.data(), watched.size(),
                           static_cast<int>(std::min<std::int64_t>(left.count(), 1'000'000)));
    if (ready <= 0) return {Event::deadline, ""};
    if (watched[1].revents != 0) return {Event::interrupted, ""};
    std::string message(max_message, '\0');
    const ssize_t size = recv(socket_.get(), message.data(), message.size(), 0);
    if (size <= 0) return {Event::ended, ""};
    message.resize(static_cast<std::size_t>(size));
    return {Event::message, std::move(message)};
}

bool is_interrupted(int interrupt, Duration within) {
    pollfd watched{interrupt, POLLIN, 0};
    const auto limit = std::chrono::ceil<std::chrono::milliseconds>(within);
    return interrupt >= 0 && poll(&watched, 1, static_cast<int>(limit.count())) > 0;
}

std::optional<int> next_signal(int interrupt, Duration within) {
    if (interrupt < 0) {
        poll(nullptr, 0,
             static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(within).count()));
        return std::nullopt;
    }
    signalfd_siginfo taken{};
    if (!is_interrupted(interrupt, within) ||
        read(interrupt, &taken, sizeof(taken)) != sizeof(taken)) {
        return std::nullopt;
    }
    return static_cast<int>(taken.ssi_signo);
}

std::string Worker::how_it_died() {
    // Its socket is closed, so it is on its way out; unless it is stuck, and then we don't wait.
    for (int tries = 0; tries < 50; ++tries) {
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) == pid_) {
            if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
            return WEXITSTATUS(status) == 0 ? ""
                                            : fmt::format("exit status {}", WEXITSTATUS(status));
        }
        poll(nullptr, 0, 10);
    }
    return "closed its socket, yet lives";
}

void Worker::kill() {
    ::kill(pid_, SIGKILL);
}

Result<Fd> catch_signals() {
    const sigset_t signals = ending_signals();
    if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
        return fail(Errc::internal, "sigprocmask: " + errno_text());
    }
    Fd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return fail(Errc::internal, "signalfd: " + errno_text());
    return fd;
}

} // namespace muster
