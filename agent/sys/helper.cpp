// What a helper of isolate does between its birth and its end.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/sys/nursery.h"

namespace muster::nursery {

namespace {

constexpr int kCall = 3;
constexpr int kMemory = 4;

[[noreturn]] void end(const Reply& reply) {
    send_reply(kCall, reply);
    // _exit: what atexit and the destructors of statics would do belongs to the agent, not to us.
    ::_exit(0);
}

/// Our two descriptors to 3 and 4, everything else closed. Close-on-exec: Boost.Process does not
/// close them in the programs it starts (see child.cpp).
void take_descriptors(int call, int memory) {
    // By way of two numbers that are out of the way: either may be where the other has to go.
    const int call_copy = ::fcntl(call, F_DUPFD_CLOEXEC, 10);
    const int memory_copy = ::fcntl(memory, F_DUPFD_CLOEXEC, 10);
    if (call_copy < 0 || memory_copy < 0 || ::dup3(call_copy, kCall, O_CLOEXEC) < 0 ||
        ::dup3(memory_copy, kMemory, O_CLOEXEC) < 0) {
        ::_exit(EXIT_FAILURE); // the nursery tells
    }
    ::closefrom(kMemory + 1);
}

void default_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
        (void)std::signal(signal, SIG_DFL); // SIGKILL and SIGSTOP refuse, which is no harm
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

int read_argument(std::string& argument) {
    for (std::size_t had = 0; had < argument.size();) {
        const ssize_t n =
            ::pread(kMemory, argument.data() + had, argument.size() - had, static_cast<off_t>(had));
        if (n <= 0) {
            return n < 0 ? errno : ENODATA;
        }
        had += static_cast<std::size_t>(n);
    }
    return 0;
}

int write_answer(const std::string& answer) {
    for (std::size_t had = 0; had < answer.size();) {
        const ssize_t n =
            ::pwrite(kMemory, answer.data() + had, answer.size() - had, static_cast<off_t>(had));
        if (n < 0) {
            return errno;
        }
        had += static_cast<std::size_t>(n);
    }
    return 0;
}

[[noreturn]] void end_with(Reply::Kind kind, const std::string& text) {
    if (text.size() > kMaxAnswer) {
        end({Reply::Kind::too_large, 0, text.size()});
    }
    if (const int error = write_answer(text); error != 0) {
        end({Reply::Kind::not_begun, error, 0});
    }
    end({kind, 0, text.size()});
}

} // namespace

void run_helper(const Request& request, int call, int memory, int nursery_pid) {
    ::prctl(PR_SET_NAME, "muster-helper");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != nursery_pid) {
        ::_exit(0);
    }
    take_descriptors(call, memory);
    default_signals();
    std::string argument(request.size, '\0');
    if (const int error = read_argument(argument); error != 0) {
        end({Reply::Kind::not_begun, error, 0});
    }
    try {
        end_with(Reply::Kind::answer, request.function(argument));
    } catch (const std::exception& exception) {
        end_with(Reply::Kind::exception, exception.what());
    } catch (...) {
        end_with(Reply::Kind::exception, "something that is no std::exception");
    }
}

} // namespace muster::nursery
