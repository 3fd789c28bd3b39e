#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sys/lock.h"
#include "agent/sys/worker.h"
#include "tests/catch.h"
#include "tests/sys/processes.h"

using namespace muster;
using namespace std::chrono_literals;
using Event = Worker::Event;
namespace fs = std::filesystem;

namespace {

struct WorkerFixture {
    /// Everything until something else than a message comes.
    std::vector<std::string> read_all(Worker& worker, Event& last, int interrupt = -1) {
        std::vector<std::string> messages;
        while (true) {
            auto next = worker.next(*clock, patiently(), interrupt);
            last = next.event;
            if (last != Event::message) return messages;
            messages.push_back(std::move(next.message));
        }
    }
    [[nodiscard]] Deadline patiently() const { return Deadline::in(*clock, testing::patience); }
    /// The one process that the test's newest worker is.
    static testing::Process worker_process() {
        for (const auto& process : testing::descendants(::getpid())) {
            if (process.name == "muster-boot" && process.state != 'Z') return process;
        }
        return {.pid = -1};
    }
    /// Once it is gone: on a slow machine that is some time after its socket is.
    static std::string death_of(Worker& worker) {
        std::string how;
        CHECK(testing::eventually("the worker ends", [&] {
            how = worker.how_it_died();
            return how != "closed its socket, yet lives";
        }));
        return how;
    }
    std::unique_ptr<Clock> clock = make_system_clock();
};

/// A crash must not leave a core or wake a debugger's handler (Catch2's).
void crash() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    (void)std::signal(SIGSEGV, SIG_DFL);
    (void)::raise(SIGSEGV);
}

} // namespace

TEST_CASE_METHOD(WorkerFixture, "worker: all messages, whole and in order") {
    constexpr int count = 10'000;
    auto worker = Worker::start([](const Worker::Send& send) {
        for (int i = 0; i < count; ++i)
            send(std::to_string(i) + std::string(static_cast<std::size_t>(i % 300), 'x'));
    });
    REQUIRE(worker);
    Event last{};
    const auto messages = read_all(*worker, last);
    CHECK(last == Event::ended);
    REQUIRE(messages.size() == count);
    for (std::size_t i = 0; i < count; ++i)
        REQUIRE(messages[i] == std::to_string(i) + std::string(i % 300, 'x'));
    CHECK(death_of(*worker).empty());
}

TEST_CASE_METHOD(WorkerFixture, "worker: up to 128 KiB a message; none ends the conversation") {
    auto worker = Worker::start([](const Worker::Send& send) {
        send(std::string(128 << 10, 'a'));
        send(std::string((128 << 10) + 1, 'b'));
        send("");
        send("after");
    });
    REQUIRE(worker);
    Event last{};
    const auto messages = read_all(*worker, last);
    CHECK(last == Event::ended);
    REQUIRE(messages.size() == 2);
    CHECK(messages[0] == std::string(128 << 10, 'a'));
    CHECK(messages[1] == "after");
}

TEST_CASE_METHOD(WorkerFixture, "worker: what it said before it died is kept, and how it died") {
    struct Row {
        void (*death)();
        const char* how;
    };
    const Row rows[] = {{[] { crash(); }, "killed by signal 11"},
                        {[] { ::_exit(3); }, "exit status 3"},
                        {[] { (void)::raise(SIGKILL); }, "killed by signal 9"},
                        {[] { ::_exit(0); }, ""}};
    for (const auto& [death, how] : rows) {
        INFO(how);
        auto worker = Worker::start([death](const Worker::Send& send) {
            send("last words");
            death();
        });
        REQUIRE(worker);
        Event last{};
        CHECK(read_all(*worker, last) == std::vector<std::string>{"last words"});
        CHECK(last == Event::ended);
        CHECK(death_of(*worker) == how);
    }
}

TEST_CASE_METHOD(WorkerFixture, "worker: silence ends at the deadline, and kill ends the worker") {
    auto worker = Worker::start([](const Worker::Send&) { ::pause(); });
    REQUIRE(worker);
    const auto start = clock->now();
    CHECK(worker->next(*clock, Deadline::in(*clock, 50ms), -1).event == Event::deadline);
    CHECK(clock->now() - start >= 50ms);
    CHECK(worker->next(*clock, {start}, -1).event == Event::deadline); // one that is past
    worker->kill();
    CHECK(worker->next(*clock, patiently(), -1).event == Event::ended);
    CHECK(death_of(*worker) == "killed by signal 9");
}

TEST_CASE_METHOD(WorkerFixture, "worker: a stopped one is killed as well") {
    auto worker = Worker::start([](const Worker::Send&) { (void)::raise(SIGSTOP); });
    REQUIRE(worker);
    REQUIRE(testing::eventually("the worker stops", [] { return worker_process().state == 'T'; }));
    CHECK(worker->next(*clock, Deadline::in(*clock, 50ms), -1).event == Event::deadline);
    worker->kill();
    CHECK(worker->next(*clock, patiently(), -1).event == Event::ended);
}

TEST_CASE_METHOD(WorkerFixture, "worker: lives on without its socket") {
    auto worker = Worker::start([](const Worker::Send&) {
        for (int fd = 3; fd < 64; ++fd)
            ::close(fd);
        ::pause();
    });
    REQUIRE(worker);
    CHECK(worker->next(*clock, patiently(), -1).event == Event::ended);
    const testing::Limit limit;
    CHECK(worker->how_it_died() == "closed its socket, yet lives");
    CHECK(limit.holds("a worker that does not end")); // in D state it might never be gone
    worker->kill();
    CHECK(death_of(*worker) == "killed by signal 9");
}

TEST_CASE_METHOD(WorkerFixture, "worker: an interrupt is heard at once, before messages") {
    int pair[2] = {};
    REQUIRE(::pipe2(pair, O_CLOEXEC) == 0);
    const Fd readable(pair[0]);
    const Fd writable(pair[1]);
    auto worker = Worker::start([](const Worker::Send& send) {
        send("one");
        ::pause();
    });
    REQUIRE(worker);
    CHECK(worker->next(*clock, patiently(), readable.get()).message == "one");
    REQUIRE(::write(writable.get(), "x", 1) == 1);
    CHECK(worker->next(*clock, patiently(), readable.get()).event == Event::interrupted);
    worker->kill();
    (void)worker->how_it_died();
}

TEST_CASE_METHOD(WorkerFixture, "worker: the signals that end a program become readable") {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        INFO(signal);
        // In a process of its own: the mask is for life.
        const pid_t pid = ::fork();
        if (pid == 0) {
            (void)std::signal(signal, SIG_DFL); // not Catch's handler
            const auto caught = catch_signals();
            auto worker = Worker::start([](const Worker::Send& send) {
                send("ready");
                ::pause();
            });
            if (!caught || !worker) ::_exit(1);
            if (worker->next(*clock, patiently(), caught->get()).event != Event::message) {
                ::_exit(2);
            }
            (void)::raise(signal);
            if (worker->next(*clock, patiently(), caught->get()).event != Event::interrupted) {
                ::_exit(3);
            }
            // The worker itself can be ended by them.
            ::kill(worker_process().pid, signal);
            if (worker->next(*clock, patiently(), -1).event != Event::ended) {
                ::_exit(4);
            }
            ::_exit(death_of(*worker) == "killed by signal " + std::to_string(signal) ? 0 : 5);
        }
        int status = 0;
        ::waitpid(pid, &status, 0);
        CHECK(status == 0);
    }
}

TEST_CASE_METHOD(WorkerFixture, "worker: dies with its parent") {
    int pair[2] = {};
    REQUIRE(::pipe2(pair, O_CLOEXEC) == 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        auto worker = Worker::start([](const Worker::Send& send) {
            send(std::to_string(::getpid()));
            ::pause();
        });
        const auto told = worker->next(*clock, patiently(), -1);
        [[maybe_unused]] const auto n = ::write(pair[1], told.message.data(), told.message.size());
        ::pause();
    }
    char text[16] = {};
    REQUIRE(::read(pair[0], text, sizeof(text) - 1) > 0);
    const int pid = std::atoi(text);
    REQUIRE(testing::alive(pid));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    CHECK(testing::eventually("the worker ends", [&] { return !testing::alive(pid); }));
    ::close(pair[0]);
    ::close(pair[1]);
}

TEST_CASE_METHOD(WorkerFixture, "worker: a group and a name of its own, and nothing of ours open") {
    std::string name = "/tmp/muster-worker.XXXXXX";
    const fs::path folder = ::mkdtemp(name.data());
    const int open = ::open("/dev/null", O_RDONLY); // not even marked close-on-exec
    auto worker = [&] {
        const auto lock = Lock::take(folder / "lock");
        REQUIRE(lock);
        return Worker::start([](const Worker::Send& send) {
            send(std::to_string(::getpgid(0) == ::getpid()));
            send(std::to_string(testing::open_files()));
            ::pause();
        });
        // Our own hold on the lock ends here.
    }();
    REQUIRE(worker);
    CHECK(worker->next(*clock, patiently(), -1).message == "1");
    // Standard input, output and error, the socket, and the folder that is being read.
    CHECK(worker->next(*clock, patiently(), -1).message == "5");
    CHECK(worker_process().pid > 0);
    CHECK(Lock::take(folder / "lock")); // a worker that is stuck keeps no run out
    worker->kill();
    (void)worker->how_it_died();
    ::close(open);
    fs::remove_all(folder);
}
