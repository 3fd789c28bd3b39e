#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/wait.h>
#include <thread>

#include "agent/sys/command.h"
#include "agent/sys/files.h"
#include "agent/sys/lock.h"
#include "tests/catch.h"
#include "tests/sys/processes.h"

using namespace muster;
using namespace muster::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

#if defined(MUSTER_SANITIZED) || defined(MUSTER_EMULATED)
constexpr auto kSlack = 500ms; // a fork alone costs tens of milliseconds; less than TERM to KILL
#else
constexpr auto kSlack = 0ms;
#endif

struct Fixture {
    Fixture() {
        std::string name = "/tmp/muster-command.XXXXXX";
        folder = ::mkdtemp(name.data());
        lock = folder / "disks.lock";
        runner = make_command_runner(*clock, *isolate, lock);
    }
    ~Fixture() { fs::remove_all(folder); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    Result<CommandOutput> run(std::vector<std::string> argv, Duration limit = 10s,
                              bool writes = false) {
        const auto before = clock->now();
        auto result = runner->run({std::move(argv), writes}, Deadline::in(*clock, limit));
        took = clock->now() - before;
        return result;
    }
    Result<CommandOutput> sh(std::string script, Duration limit = 10s, bool writes = false) {
        return run({"/bin/sh", "-c", std::move(script)}, limit, writes);
    }
    [[nodiscard]] bool lock_is_free() const { return Lock::take(lock).has_value(); }

    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate = make_isolate(*clock).value();
    std::unique_ptr<CommandRunner> runner;
    fs::path folder;
    std::string lock;
    Duration took{};
};

/// Pids of processes whose command line has this word in it.
std::vector<int> running(const std::string& word) {
    std::vector<int> result;
    for (const auto& process : processes()) {
        const auto line = Files().read("/proc/" + std::to_string(process.pid) + "/cmdline");
        if (line && line->find(word) != std::string::npos && process.state != 'Z') {
            result.push_back(process.pid);
        }
    }
    return result;
}

} // namespace

TEST_CASE_METHOD(Fixture, "command: outputs, exit status, arguments as given") {
    const auto result = sh("echo out; echo err >&2; exit 3");
    REQUIRE(result);
    CHECK(result->exit_status == 3);
    CHECK(result->out == "out\n");
    CHECK(result->err == "err\n");
    CHECK(result->took > 0s);
    CHECK(run({"/usr/bin/printf", "%s|", "a b", "", "$HOME", "'\"\\", "*"})->out ==
          "a b||$HOME|'\"\\|*|");
    CHECK(run({"/usr/bin/printf", "\\0\\377"})->out == std::string("\0\xff", 2));
    CHECK(run({"/bin/true"})->exit_status == 0);
    CHECK(sh("kill -SEGV $$")->exit_status == 128 + SIGSEGV);
}

TEST_CASE_METHOD(Fixture, "command: environment, standard input, descriptors, group, signals") {
    CHECK(run({"/usr/bin/env"})->out == "LC_ALL=C\n");
    CHECK(run({"/bin/cat"})->out == "");
    CHECK(run({"/bin/cat"}, 10s, true)->out == "");
    CHECK(run({"/bin/ls", "/proc/self/fd"})->out == "0\n1\n2\n3\n"); // 3 is ls reading
    CHECK(run({"/bin/ls", "/proc/self/fd"}, 10s, true)->out == "0\n1\n2\n3\n");
    CHECK(sh("test $(cut -d' ' -f5 /proc/$$/stat) = $$; echo $?")->out == "0\n");
    const auto status = run({"/bin/cat", "/proc/self/status"})->out;
    CHECK(status.find("SigBlk:\t0000000000000000") != std::string::npos);
    CHECK(status.find("SigIgn:\t0000000000000000") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "command: what cannot be run") {
    const auto missing = run({"/nonexistent/lvm", "vgs"});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::absent);
    CHECK(missing.error().message == "/nonexistent/lvm vgs: can't run /nonexistent/lvm: No such "
                                     "file or directory");
    std::ofstream(folder / "plain") << "#!/bin/sh\n";
    CHECK(run({folder / "plain"}).error().code == Errc::denied);
    CHECK(run({"/etc"}).error().code == Errc::denied);
    CHECK(run({"lvm"}).error().code == Errc::malformed); // never by PATH
    CHECK(run({}).error().code == Errc::malformed);
    CHECK(run({"/bin/true"}, 0s).error().code == Errc::stuck);
    CHECK(took < 100ms + kSlack);
}

TEST_CASE_METHOD(Fixture, "command: ended at its deadline") {
    const auto result = sh("echo begun; exec sleep 100", 300ms);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK(result.error().message ==
          "/bin/sh -c 'echo begun; exec sleep 100': it had to be ended at its deadline");
    CHECK(took >= 300ms);
    CHECK(took < 400ms + kSlack); // TERM was enough
}

TEST_CASE_METHOD(Fixture, "command: of somebody's program the end is kept, late or not") {
    const auto run_check = [this](std::string script, Duration limit) {
        const auto before = clock->now();
        Command command{.argv = {"/bin/sh", "-c", std::move(script)}, .only_its_end = true};
        auto result = runner->run(command, Deadline::in(*clock, limit));
        took = clock->now() - before;
        return result;
    };
    auto result = run_check("echo begun; echo why >&2; exec sleep 100", 300ms);
    REQUIRE(result);
    CHECK(result->ended_late);
    CHECK(result->out == "begun\n");
    CHECK(result->err == "why\n");
    CHECK(took >= 300ms);
    CHECK(took < 400ms + kSlack);
    result = run_check("trap '' TERM; echo begun; while :; do sleep 0.01; done", 200ms);
    REQUIRE(result);
    CHECK(result->ended_late);
    CHECK(result->out == "begun\n");
    CHECK(took >= 1200ms);
    CHECK(took < 1450ms + kSlack);
    result = run_check("head -c 5000000 /dev/zero; echo end; exit 3", 10s);
    REQUIRE(result);
    CHECK_FALSE(result->ended_late);
    CHECK(result->exit_status == 3);
    CHECK(result->out.size() == 64 << 10);
    CHECK(result->out.ends_with("end\n"));
    std::ofstream(folder / "no-script") << "exit 0\n";
    fs::permissions(folder / "no-script", fs::perms::owner_all);
    CHECK(run({folder / "no-script"}).error().code == Errc::malformed);
}

TEST_CASE_METHOD(Fixture, "command: one that ignores TERM is killed a second later") {
    const auto result =
        sh("trap '' TERM; while :; do sleep 0.01 2>/dev/null; done # ignores", 200ms);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK(took >= 1200ms);
    CHECK(took < 1450ms + kSlack);
    CHECK(running("# ignores").empty());
}

TEST_CASE_METHOD(Fixture, "command: TERM and KILL reach its children too") {
    CHECK(sh("sleep 31.4 & sleep 31.5 & wait", 200ms).error().code == Errc::stuck);
    CHECK(took < 400ms + kSlack);
    const std::string sleeps("sleep\00031.", 9); // with its length: it holds a NUL
    CHECK(eventually([&] { return running(sleeps).empty(); }));
}

TEST_CASE_METHOD(Fixture, "command: a grandchild that holds the pipes does not hold us") {
    const auto result = sh("echo done; sleep 41.5 & exit 4");
    REQUIRE(result);
    CHECK(result->out == "done\n");
    CHECK(result->exit_status == 4);
    CHECK(took < 500ms + kSlack);
    CHECK(eventually([] { return running(std::string("sleep\00041.5", 10)).empty(); }));
    // One that went off into a session of its own is not ours to kill, but is not waited for
    // either.
    REQUIRE(sh("setsid sleep 1.7 & exit 0"));
    CHECK(took < 500ms + kSlack);
}

TEST_CASE_METHOD(Fixture, "command: outputs are drained together, and bounded") {
    const auto both = sh("i=0; while [ $i -lt 30000 ]; do echo 0123456789; echo abcdefghi >&2; "
                         "i=$((i+1)); done");
    REQUIRE(both);
    CHECK(both->out.size() == 330'000);
    CHECK(both->err.size() == 64 << 10);
    CHECK(both->err.ends_with("abcdefghi\n"));
    const auto four = run({"/usr/bin/head", "-c", "4194304", "/dev/zero"});
    REQUIRE(four);
    CHECK(four->out.size() == 4 << 20);
    CHECK(run({"/usr/bin/head", "-c", "4194305", "/dev/zero"}).error().code == Errc::too_large);
    CHECK(run({"/bin/cat", "/dev/zero"}).error().code == Errc::too_large);
    CHECK(took < 1s + kSlack);
}

TEST_CASE_METHOD(Fixture, "command: one that writes holds the disk lock, to its last child") {
    CHECK(sh("flock -n -x " + lock + " true; echo $?")->out == "0\n");
    CHECK(sh("flock -n -x " + lock + " true; echo $?", 10s, true)->out == "1\n");
    CHECK(lock_is_free());
    // The program ends, a child of it goes on writing (in a session of its own: it is not killed).
    // By way of 3, since a shell gives its background jobs /dev/null.
    REQUIRE(sh("exec 3<&0; setsid sleep 0.6 <&3 3<&- >/dev/null 2>&1 & exit 0", 10s, true));
    CHECK_FALSE(lock_is_free());
    CHECK(took < 400ms + kSlack);
    CHECK(eventually([this] { return lock_is_free(); }));
    // Two of our own may write at once; one beside someone who wants to be alone may not.
    const int other = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::flock(other, LOCK_SH | LOCK_NB) == 0);
    CHECK(run({"/bin/true"}, 10s, true));
    REQUIRE(::flock(other, LOCK_EX | LOCK_NB) == 0);
    CHECK(run({"/bin/true"}, 10s, true).error().code == Errc::conflict);
    CHECK(run({"/bin/true"}));
    ::close(other);
}

TEST_CASE_METHOD(Fixture, "command: who only asks whether the disk lock is free stops nobody") {
    const int other = ::open(lock.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::flock(other, LOCK_EX | LOCK_NB) == 0);
    std::thread gives_it_back([&] {
        std::this_thread::sleep_for(100ms); // of the 500 that are waited
        ::close(other);
    });
    CHECK(run({"/bin/true"}, 10s, true));
    gives_it_back.join();
}

TEST_CASE_METHOD(Fixture, "command: the lock's file answers no question of the program") {
    std::ofstream(lock) << "y\ny\ny\n";
    CHECK(run({"/bin/cat"}, 10s, true)->out == "");
}

TEST_CASE_METHOD(Fixture, "command: LVM neither complains about the lock nor lets go of it") {
    if (!fs::exists("/sbin/lvm")) {
        WARN("no LVM on this machine");
        return;
    }
    // LVM closes every inherited descriptor beyond standard error, so a lock there would be let go
    // at once. Here it is made to wait for a lock of its own, so that it can be looked at.
    const int blocker = ::open((folder / "P_global").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::flock(blocker, LOCK_EX | LOCK_NB) == 0);
    Result<CommandOutput> result = fail(Errc::internal, "never run");
    std::jthread lvm([&] {
        const auto locking = "global/locking_dir=\"" + folder.string() + "\"";
        result = run({"/sbin/lvm", "vgs", "--config", locking}, 10s, true);
    });
    const auto waits = [] { // "1: -> FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF"
        const auto locks = Files().read("/proc/locks").value_or("");
        return std::ranges::any_of(running("/sbin/lvm"), [&](int pid) {
            return std::ranges::any_of(std::array{"WRITE ", "READ "}, [&](const char* kind) {
                return locks.contains("-> FLOCK  ADVISORY  " + (kind + std::to_string(pid)) + " ");
            });
        });
    };
    CHECK(eventually(waits));
    CHECK_FALSE(lock_is_free());
    ::close(blocker);
    lvm.join();
    REQUIRE(result);
    CHECK(result->err.find("leaked") == std::string::npos);
    CHECK(lock_is_free());
}

namespace {

/// An agent that runs `command`, and is killed in the middle of it.
void kill_agent_during(const Command& command, const std::string& lock, const std::string& line) {
    const pid_t agent = ::fork();
    if (agent == 0) {
        const auto own_clock = make_system_clock();
        const auto own_isolate = make_isolate(*own_clock).value();
        const auto own_runner = make_command_runner(*own_clock, *own_isolate, lock);
        (void)own_runner->run(command, Deadline::in(*own_clock, 60s));
        ::_exit(0);
    }
    REQUIRE(eventually([&] { return running(line).size() == 1; }));
    ::kill(agent, SIGKILL);
    ::waitpid(agent, nullptr, 0);
}

} // namespace

TEST_CASE_METHOD(Fixture, "command: if the agent is killed, so is a program that only looks") {
    const std::string line("sleep\00051.5", 10);
    kill_agent_during({{"/bin/sleep", "51.5"}}, lock, line);
    CHECK(eventually([&] { return running(line).empty(); }, 1s));
}

TEST_CASE_METHOD(Fixture,
                 "command: one that writes goes on to its end, and holds the lock so long") {
    const std::string done = lock + ".done";
    const std::string script = "sleep 1; echo said to nobody; echo done >" + done;
    kill_agent_during({{"/bin/sh", "-c", script}, true}, lock,
                      std::string("/bin/sh\0-c\0", 11) + script);
    CHECK_FALSE(Files().exists(done));
    CHECK_FALSE(lock_is_free());
    CHECK(eventually([&] { return Files().exists(done) && lock_is_free(); }, 5s));
    ::unlink(done.c_str());
}

TEST_CASE_METHOD(Fixture, "command: exec that hangs is abandoned, two seconds after the deadline") {
    // What a program on a stuck volume does to the helper: its deadline is never looked at. Here
    // the helper is stopped instead.
    const auto nursery = family().at(0).pid;
    std::jthread stopper([&] {
        (void)eventually([&] {
            const auto below = descendants(nursery); // the helper, as soon as it is there
            return !below.empty() && ::kill(below.front().pid, SIGSTOP) == 0;
        });
    });
    const auto result = run({"/bin/sleep", "61.5"}, 300ms);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK(took >= 2300ms);
    CHECK(took < 2400ms + kSlack);
    CHECK(eventually([&] { return descendants(nursery).empty(); }));
}

TEST_CASE_METHOD(Fixture, "command: a thousand leave nothing behind") {
    REQUIRE(run({"/bin/true"}));
    const auto files = open_files();
    const auto before = clock->now();
#ifdef MUSTER_SANITIZED
    constexpr int kRuns = 100;
#else
    constexpr int kRuns = 1000;
#endif
    for (int i = 0; i < kRuns; ++i) {
        REQUIRE(run({"/bin/true"})->exit_status == 0);
    }
    WARN("a command takes " << seconds(clock->now() - before) / kRuns * 1e3 << " ms");
    CHECK(open_files() == files);
    CHECK(eventually([] { return family().size() == 1; })); // the nursery
}

TEST_CASE("command: as a person would type it") {
    CHECK(to_string(Command{{"/sbin/lvm", "vgs", "-o", "vg_name", "--config", "log { a=1 }", ""},
                            false}) == "/sbin/lvm vgs -o vg_name --config 'log { a=1 }' ''");
    CHECK(to_string(Command{{"/bin/echo", "it's", "$x;"}, false}) == "/bin/echo 'it'\\''s' '$x;'");
}
