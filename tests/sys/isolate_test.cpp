#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/sys/isolate.h"
#include "tests/catch.h"
#include "tests/sys/processes.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace muster::testing;
using namespace std::chrono_literals;

namespace {

std::string echo(std::string_view argument) {
    return std::string(argument);
}

std::string own_pid(std::string_view) {
    return std::to_string(::getpid());
}

std::string sleep_for_ever(std::string_view) {
    for (;;) {
        ::pause();
    }
}

/// As near to D state as a process can bring itself: every signal blocked.
std::string deaf(std::string_view argument) {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    return sleep_for_ever(argument);
}

std::string answer_late(std::string_view argument) {
    std::this_thread::sleep_for(100ms);
    return std::string(argument);
}

std::string stopped(std::string_view) {
    ::raise(SIGSTOP);
    return "went on";
}

std::string segfault(std::string_view) {
    std::signal(SIGSEGV, SIG_DFL); // a sanitizer's handler would print and exit instead
    ::raise(SIGSEGV);
    return "";
}

std::string exits(std::string_view) {
    ::_exit(7);
}

std::string throws(std::string_view) {
    throw std::runtime_error("of no use");
}

std::string big(std::string_view argument) {
    std::string text(std::stoul(std::string(argument)), 'x');
    if (!text.empty()) {
        text.back() = 'y';
    }
    return text;
}

std::string descriptors(std::string_view) {
    std::string text;
    for (int fd = 0; fd < 1024; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) {
            text += std::to_string(fd) + " ";
        }
    }
    return text;
}

std::string signals(std::string_view) {
    sigset_t mask;
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    std::string text;
    for (int signal = 1; signal < 32; ++signal) {
        struct sigaction action{};
        ::sigaction(signal, nullptr, &action);
        if (::sigismember(&mask, signal) == 1 || action.sa_handler != SIG_DFL) {
            text += std::to_string(signal) + " ";
        }
    }
    return text;
}

/// The nursery's helpers are reaped, and it waits for the next call.
bool idle(int nursery) {
    const auto all = family();
    return all.size() == 1 && all.front().pid == nursery && all.front().state == 'S';
}

/// What the nursery has open once the last call is forgotten.
std::size_t settled_files(int nursery) {
    std::size_t files = 0;
    CHECK(eventually("the nursery forgets the last call", [&] {
        files = open_files(nursery);
        return idle(nursery) && open_files(nursery) == files;
    }));
    return files;
}

/// What is left shows that the helper has begun.
std::string leave_mark(std::string_view path) {
    std::ofstream(std::string(path)) << "begun";
    return "x";
}

struct IsolateFixture {
    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate = make_isolate(*clock).value();

    Result<std::string> call(IsolatedFunction function, std::string_view argument = "",
                             Duration limit = patience) {
        return isolate->start(function, argument).value()->wait(Deadline::in(*clock, limit));
    }
};

} // namespace

TEST_CASE_METHOD(IsolateFixture, "isolate: bytes in, bytes out") {
    CHECK(call(echo, "hello") == "hello");
    CHECK(call(echo, "") == "");
    const std::string bytes("\0\xff\n", 3);
    CHECK(call(echo, bytes) == bytes);
    CHECK(call(own_pid) != call(own_pid)); // two calls never share a helper
    CHECK(call(own_pid) != std::to_string(::getpid()));
}

TEST_CASE_METHOD(IsolateFixture, "isolate: bounds of argument and answer") {
    CHECK(call(echo, std::string(1 << 20, 'a')).value().size() == 1 << 20);
    CHECK(isolate->start(echo, std::string((1 << 20) + 1, 'a')).error().code == Errc::too_large);
    const auto largest = call(big, std::to_string(8 << 20));
    REQUIRE(largest);
    CHECK(largest->size() == 8 << 20);
    CHECK(largest->back() == 'y');
    CHECK(call(big, std::to_string((8 << 20) + 1)).error().code == Errc::too_large);
}

TEST_CASE_METHOD(IsolateFixture, "isolate: a helper that dies is told from one that hangs") {
    const auto crashed = call(segfault);
    REQUIRE_FALSE(crashed);
    CHECK(crashed.error().code == Errc::internal);
    CHECK(crashed.error().message == "the helper died of signal 11 (SIGSEGV)");
    CHECK(call(exits).error().message == "the helper ended with status 7 and no answer");
    const auto thrown = call(throws);
    CHECK(thrown.error().code == Errc::internal);
    CHECK(thrown.error().message == "exception in a helper: of no use");
}

TEST_CASE_METHOD(IsolateFixture, "isolate: abandoned at the deadline, and then gone") {
    const auto function = GENERATE(sleep_for_ever, deaf, stopped);
    const Limit limit;
    const auto before = clock->now();
    const auto result = call(function, "", 200ms);
    CHECK(clock->now() - before >= 200ms);
    CHECK(limit.holds("a call that has no end"));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK_THAT(result.error().message, Catch::StartsWith("neither success nor failure within "));
    CHECK(eventually("only the nursery is left", [] { return family().size() == 1; }));
    CHECK(call(echo, "next") == "next"); // the nursery is well
}

TEST_CASE_METHOD(IsolateFixture,
                 "isolate: a deadline that is past still takes an answer that is there") {
    const TemporaryFolder folder;
    const std::string mark = folder.path / "mark";
    const auto done = isolate->start(leave_mark, mark).value();
    REQUIRE(eventually("the helper ends",
                       [&] { return std::filesystem::exists(mark) && family().size() == 1; }));
    const auto hanging = isolate->start(sleep_for_ever, "").value();
    CHECK(done->wait(Deadline{clock->now() - 1s}) == "x");
    CHECK(hanging->wait(Deadline{clock->now() - 1s}).error().code == Errc::stuck);
    CHECK(hanging->wait(Deadline{clock->now() - 1s}).error().code == Errc::stuck);
}

TEST_CASE_METHOD(IsolateFixture, "isolate: an answer is there for everybody who waits for it") {
    const auto one = isolate->start(answer_late, "x").value();
    std::vector<std::jthread> others;
    std::atomic<int> same = 0;
    for (int i = 0; i < 4; ++i)
        others.emplace_back(
            [&] { same += one->wait(Deadline::in(*clock, patience)) == "x" ? 1 : 0; });
    others.clear();
    CHECK(same == 4);
    CHECK(one->ready(Deadline{}));
    CHECK(one->wait(Deadline{}) == "x");
}

TEST_CASE_METHOD(IsolateFixture, "isolate: a call that nobody waits for is killed too") {
    {
        const auto call = isolate->start(sleep_for_ever, "").value();
    }
    CHECK(eventually("only the nursery is left", [] { return family().size() == 1; }));
}

TEST_CASE_METHOD(IsolateFixture, "isolate: a helper starts clean") {
    const int leak = ::open("/dev/null", O_RDONLY); // without close-on-exec, opened after the fork
    const auto fds = call(descriptors);
    CHECK((fds == "0 1 2 3 4 " || fds == "0 1 2 3 4 5 ")); // one more in a sanitizer's build
    ::close(leak);
    CHECK(call(signals) == "");
}

TEST_CASE("isolate: what the agent held before the fork is not held by a helper") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    IsolateFixture fixture;
    auto hanging = fixture.isolate->start(deaf, "").value();
    ::close(pipe[1]);
    char byte = 0;
    CHECK(::read(pipe[0], &byte, 1) == 0); // EOF: we held the only writing end
    ::close(pipe[0]);
}

TEST_CASE_METHOD(IsolateFixture,
                 "isolate: signals of a terminal or of systemd do not reach the nursery") {
    const int pid = family().at(0).pid; // it may not even have begun
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
        ::kill(pid, signal);
    }
    CHECK(call(echo, "still there") == "still there");
    CHECK(family().at(0).name == "muster-nursery");
    CHECK(::getsid(pid) == pid);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
        ::kill(pid, signal);
    }
    CHECK(call(echo, "still there") == "still there");
}

TEST_CASE_METHOD(IsolateFixture, "isolate: a dead nursery is an error, not a wait") {
    auto hanging = isolate->start(sleep_for_ever, "").value();
    ::kill(family().at(0).pid, SIGKILL);
    const Limit limit;
    CHECK(hanging->wait(Deadline::in(*clock, patience)).error().code == Errc::internal);
    // What it had open is closed in no certain order: one more call may be taken, to end so.
    const auto next = isolate->start(echo, "x");
    CHECK((!next || (*next)->wait(Deadline::in(*clock, patience)).error().code == Errc::internal));
    CHECK(limit.holds("a call to a nursery that is dead"));
}

TEST_CASE_METHOD(IsolateFixture, "isolate: a nursery without descriptors says so, and keeps none") {
    CHECK(call(echo, "x") == "x");
    const auto nursery = family().at(0).pid;
    const auto files = settled_files(nursery);
    rlimit before{};
    REQUIRE(::prlimit(nursery, RLIMIT_NOFILE, nullptr, &before) == 0);
    for (const rlim_t room : {0UL, 1UL}) { // a call brings two
        const rlimit few{files + room, before.rlim_max};
        REQUIRE(::prlimit(nursery, RLIMIT_NOFILE, &few, nullptr) == 0);
        const auto answer = call(echo, "x");
        REQUIRE_FALSE(answer);
        CHECK(answer.error().code != Errc::stuck); // that would be at its deadline
        CHECK(settled_files(nursery) == files);
    }
    REQUIRE(::prlimit(nursery, RLIMIT_NOFILE, &before, nullptr) == 0);
    CHECK(call(echo, "x") == "x");
}

TEST_CASE_METHOD(IsolateFixture, "isolate: no descriptor, no process, no zombie is left over") {
    CHECK(call(echo, "x") == "x");
    const auto files = open_files();
    const auto nursery = family().at(0).pid;
    const auto nursery_files = settled_files(nursery);
    const auto before = clock->now();
#ifdef MUSTER_SANITIZED
    const int calls = 500; // a fork costs 14 ms there
#else
    const int calls = std::getenv("MUSTER_SOAK") != nullptr ? 10'000 : 2'000;
#endif
    for (int i = 0; i < calls; ++i) {
        REQUIRE(call(echo, "x") == "x");
    }
    const double each = seconds(clock->now() - before) / calls;
    WARN("an isolated call takes " << each * 1e6 << " us");
    CHECK(open_files() == files);
    CHECK(settled_files(nursery) == nursery_files);
}

TEST_CASE_METHOD(IsolateFixture, "isolate: many calls at once, from many threads") {
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            std::vector<std::unique_ptr<IsolatedCall>> calls;
            for (int i = 0; i < 25; ++i) {
                calls.push_back(isolate->start(echo, std::to_string(100 * t + i)).value());
            }
            for (int i = 0; i < 25; ++i) {
                const auto answer =
                    calls[static_cast<std::size_t>(i)]->wait(Deadline::in(*clock, patience));
                right += answer == std::to_string(100 * t + i) ? 1 : 0;
            }
        });
    }
    std::ranges::for_each(threads, &std::thread::join);
    CHECK(right == 200);
}

TEST_CASE("isolate: the agent's end is everyone's") {
    // A process of our own plays the agent, starts two calls and says their pids; then kill -9.
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t agent = ::fork();
    if (agent == 0) {
        const auto clock = make_system_clock();
        auto isolate = make_isolate(*clock).value();
        auto one = isolate->start(sleep_for_ever, "").value();
        auto two = isolate->start(deaf, "").value();
        (void)isolate->start(echo, "").value()->wait(Deadline::in(*clock, patience));
        const ssize_t n = ::write(pipe[1], "r", 1);
        ::pause();
        ::_exit(n == 1 ? 0 : 1);
    }
    char ready = 0;
    REQUIRE(::read(pipe[0], &ready, 1) == 1);
    ::close(pipe[0]);
    ::close(pipe[1]);
    std::vector<Process> all;
    REQUIRE(eventually("the nursery and two helpers are there", [&] {
        all = descendants(agent);
        return all.size() == 3;
    }));
    ::kill(agent, SIGKILL);
    ::waitpid(agent, nullptr, 0);
    CHECK(eventually("the agent's helpers are gone",
                     [&] { return std::ranges::none_of(all, alive, &Process::pid); }));
}

TEST_CASE("isolate: the end of Isolate is the nursery's") {
    {
        const IsolateFixture fixture;
    }
    CHECK(family().empty());
}
