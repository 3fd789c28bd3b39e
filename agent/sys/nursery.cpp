#include "agent/sys/nursery.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace muster::nursery {

namespace {

constexpr int kControl = 3;

/// A helper that has not ended. Without a descriptor: nobody waits for its answer any more.
struct Helper {
    pid_t pid = -1;
    Fd call;
};

extern "C" void note_child(int) {} // only there to end ppoll

/// Standard input and output go to /dev/null: an inherited pipe would keep the other end of a
/// pipeline waiting for as long as a helper hangs. Standard error is kept for a crash's last words,
/// unless it is a pipe too.
void take_null_descriptors() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    struct stat err{};
    const bool keep = ::fstat(STDERR_FILENO, &err) == 0 && !S_ISFIFO(err.st_mode);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (null >= 0 && !(fd == STDERR_FILENO && keep)) {
            ::dup2(null, fd);
        }
    }
}

void become_nursery(int control, int agent_pid) {
    ::prctl(PR_SET_NAME, "muster-nursery");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != agent_pid) { // it died before the line above
        ::_exit(0);
    }
    // A session of its own: a terminal's Ctrl-C goes to the agent, which then decides.
    ::setsid();
    // Programs of a helper that was killed become our children, and are reaped, even where process
    // 1 does not (an initramfs, a container).
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const int signal :
         {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}) {
        (void)std::signal(signal, SIG_IGN);
    }
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGCHLD); // comes only inside ppoll, so none is missed
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    (void)std::signal(SIGCHLD, note_child);
    if (::chdir("/") != 0) { // hold no mount busy
        ::_exit(1);
    }
    take_null_descriptors();
    if (control != kControl) {
        ::dup3(control, kControl, O_CLOEXEC);
    }
    ::closefrom(kControl + 1); // glibc's falls back to /proc/self/fd before Linux 5.9
}

/// One request with its two descriptors, as far as we have room for them. False at the end.
bool receive(int control, Request& request, std::array<Fd, 2>& descriptors) {
    iovec data{&request, sizeof(request)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t n = ::recvmsg(control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        // Only one of them comes where there is no room for two.
        std::array<int, 2> fds{-1, -1};
        std::memcpy(fds.data(), CMSG_DATA(header),
                    std::min<std::size_t>(header->cmsg_len - CMSG_LEN(0), sizeof(fds)));
        descriptors = {Fd(fds[0]), Fd(fds[1])};
    }
    return n != 0;
}

void fork_helper(std::vector<Helper>& helpers, int control) {
    Request request;
    std::array<Fd, 2> descriptors;
    if (!receive(control, request, descriptors)) {
        ::_exit(0); // the agent is through with us; what still runs gets SIGKILL by our death
    }
    auto& [call, memory] = descriptors;
    if (!call || !memory) {
        if (call) {
            send_reply(call.get(), {Reply::Kind::not_begun, EMFILE, 0});
        }
        return; // with neither of them open here, the agent sees the call's end
    }
    const pid_t nursery = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
        run_helper(request, call.get(), memory.get(), nursery);
    }
    if (pid < 0) {
        send_reply(call.get(), {Reply::Kind::not_begun, errno, 0});
        return;
    }
    helpers.push_back({pid, std::move(call)});
}

/// Tells the agent how a helper ended. If that had answered before, nobody reads it, and that is
/// all right.
void reap(std::vector<Helper>& helpers) {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto helper = std::ranges::find(helpers, pid, &Helper::pid);
        if (helper != helpers.end()) {
            if (helper->call) {
                send_reply(helper->call.get(), {Reply::Kind::ended, status, 0});
            }
            helpers.erase(helper);
        }
    }
}

/// The agent has closed its end: the helper is to go. It can be in D state and stay for ever; then
/// only its pid is left of it here, and no other process can have that before we reap it.
void kill_abandoned(std::vector<Helper>& helpers, const std::vector<pollfd>& polled) {
    for (const auto& entry : polled) {
        if ((entry.revents & (POLLHUP | POLLERR)) == 0) {
            continue;
        }
        for (auto& helper : helpers) {
            if (helper.call.get() == entry.fd) {
                ::kill(helper.pid, SIGKILL);
                helper.call.close();
            }
        }
    }
}

} // namespace

bool send_reply(int socket, const Reply& reply) {
    return ::send(socket, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(reply);
}

void run(int control, int agent_pid) {
    become_nursery(control, agent_pid);
    sigset_t none;
    ::sigemptyset(&none);
    std::vector<Helper> helpers;
    std::vector<pollfd> polled;
    for (;;) {
        polled.assign(1, {kControl, POLLIN, 0});
        for (const auto& helper : helpers) {
            if (helper.call) {
                polled.push_back({helper.call.get(), 0, 0});
            }
        }
        const bool ready = ::ppoll(polled.data(), polled.size(), nullptr, &none) > 0;
        const bool asked = ready && polled.front().revents != 0;
        if (ready) {
            polled.erase(polled.begin());
            kill_abandoned(helpers, polled);
        }
        reap(helpers);
        if (asked) {
            fork_helper(helpers, kControl);
        }
    }
}

} // namespace muster::nursery
