#include <algorithm>
#include <array>
#include <atomic>
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

struct CommandFixture {
    CommandFixture() {
        std::string name = "/tmp/muster-command.XXXXXX";
        folder = ::mkdtemp(name.data());
        lock = folder / "disks.lock";
        begun = folder / "begun";
        runner = make_command_runner(*clock, *isolate, lock);
    }
    ~CommandFixture() { fs::remove_all(folder); }
    CommandFixture(const CommandFixture&) = delete;
    CommandFixture& operator=(const CommandFixture&) = delete;

    Result<CommandOutput> run(std::vector<std::string> argv, Duration limit = patience,
                              bool writes = false) {
        return timed({std::move(argv), writes}, limit);
    }
    Result<CommandOutput> sh(std::string script, Duration limit = patience, bool writes = false) {
        return run({"/bin/sh", "-c", std::move(script)}, limit, writes);
    }
    /// A script that has come to its `$begun` at its deadline: on a slow machine that is a later
    /// one. There a program that was killed may not be gone in time, either: it is tried again.
    Result<CommandOutput> late(const std::string& script, bool only_its_end = false) {
        const Limit hang;
        for (Duration limit = 300ms;;) {
            auto result = timed({.argv = shell(script), .only_its_end = only_its_end}, limit);
            const bool in_time = fs::remove(begun);
            const bool gone = result || !result.error().message.ends_with("not even when killed");
            if ((in_time && gone) || hang.is_over()) return result;
            if (!in_time) limit *= 2;
        }
    }
    [[nodiscard]] std::vector<std::string> shell(const std::string& script) const {
        return {"/bin/sh", "-c", "begun=" + begun.string() + "; " + script};
    }
    Result<CommandOutput> timed(const Command& command, Duration limit) {
        const auto before = clock->now();
        auto result = runner->run(command, Deadline::in(*clock, limit));
        took_longer = clock->now() - before - limit;
        return result;
    }
    [[nodiscard]] bool lock_is_free() const { return Lock::take(lock).has_value(); }

    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate = make_isolate(*clock).value();
    std::unique_ptr<CommandRunner> runner;
    fs::path folder;
    fs::path begun; ///< made by a script
    std::string lock;
    /// Seconds that are nearly for ever, and no other test's: a run beside this one sleeps, too.
    std::string nap = "1000." + std::to_string(::getpid());
    std::string sleeper = std::string("sleep\0", 6) + nap; ///< its command line
    Duration took_longer{};                                ///< than the limit
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

bool has_open(int pid, const fs::path& file) {
    std::error_code gone;
    auto entry = fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone);
    for (; !gone && entry != fs::directory_iterator(); entry.increment(gone)) {
        if (fs::read_symlink(entry->path(), gone) == file) return true;
    }
    return false;
}

} // namespace

TEST_CASE_METHOD(CommandFixture, "command: outputs, exit status, arguments as given") {
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

TEST_CASE_METHOD(CommandFixture,
                 "command: environment, standard input, descriptors, group, signals") {
    CHECK(run({"/usr/bin/env"})->out == "LC_ALL=C\n");
    CHECK(run({"/bin/cat"})->out == "");
    CHECK(run({"/bin/cat"}, patience, true)->out == "");
    CHECK(run({"/bin/ls", "/proc/self/fd"})->out == "0\n1\n2\n3\n"); // 3 is ls reading
    CHECK(run({"/bin/ls", "/proc/self/fd"}, patience, true)->out == "0\n1\n2\n3\n");
    CHECK(sh("test $(cut -d' ' -f5 /proc/$$/stat) = $$; echo $?")->out == "0\n");
    const auto status = run({"/bin/cat", "/proc/self/status"})->out;
    CHECK(status.find("SigBlk:\t0000000000000000") != std::string::npos);
    CHECK(status.find("SigIgn:\t0000000000000000") != std::string::npos);
}

TEST_CASE_METHOD(CommandFixture, "command: what cannot be run") {
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
    const auto none_left = run({"/usr/bin/touch", begun}, 0s);
    REQUIRE_FALSE(none_left);
    CHECK(none_left.error().code == Errc::stuck);
    CHECK_THAT(none_left.error().message, Catch::EndsWith(": no time left to begin"));
    CHECK_FALSE(fs::exists(begun));
}

TEST_CASE_METHOD(CommandFixture, "command: ended at its deadline") {
    const auto result = late(": >$begun; exec sleep 1000");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK_THAT(result.error().message, Catch::StartsWith("/bin/sh -c ") &&
                                           Catch::EndsWith("; : >$begun; exec sleep 1000': it had "
                                                           "to be ended at its deadline"));
    CHECK(took_longer >= 0s);
}

TEST_CASE_METHOD(CommandFixture, "command: of somebody's program the end is kept, late or not") {
    auto result = late("echo begun; echo why >&2; : >$begun; exec sleep 1000", true);
    REQUIRE(result);
    CHECK(result->ended_late);
    CHECK(result->out == "begun\n");
    CHECK(result->err == "why\n");
    // Of several signals the first one counts, even where KILL comes before it is acted on.
    CHECK(result->exit_status == 128 + SIGTERM);
    CHECK(took_longer >= 0s);
    result = late("trap '' TERM; echo begun; : >$begun; while :; do sleep 0.01; done", true);
    REQUIRE(result);
    CHECK(result->ended_late);
    CHECK(result->out == "begun\n");
    CHECK(result->exit_status == 128 + SIGKILL);
    CHECK(took_longer >= 1s);
    const auto ended =
        timed({.argv = shell("head -c 5000000 /dev/zero; echo end; exit 3"), .only_its_end = true},
              patience);
    REQUIRE(ended);
    CHECK_FALSE(ended->ended_late);
    CHECK(ended->exit_status == 3);
    CHECK(ended->out.size() == 64 << 10);
    CHECK(ended->out.ends_with("end\n"));
    std::ofstream(folder / "no-script") << "exit 0\n";
    fs::permissions(folder / "no-script", fs::perms::owner_all);
    CHECK(run({folder / "no-script"}).error().code == Errc::malformed);
}

TEST_CASE_METHOD(CommandFixture, "command: one that ignores TERM is killed a second later") {
    const auto result =
        late("trap '' TERM; : >$begun; while :; do sleep 0.01 2>/dev/null; done # ignores " + nap);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    // Killed, not given up: that would be two seconds after the deadline.
    CHECK_THAT(result.error().message, Catch::EndsWith("it had to be ended at its deadline"));
    CHECK(took_longer >= 1s);
    CHECK(running("# ignores " + nap).empty());
}

TEST_CASE_METHOD(CommandFixture, "command: TERM and KILL reach its children too") {
    // The shell waits for its child, and tells which signal ended that. It has a second for it.
    const bool ended_by_term = eventually("a child is ended by TERM", [&] {
        const auto result = late("sleep 1000 & trap 'wait $!; exit $(($? - 128))' TERM; : >$begun; "
                                 "wait",
                                 true);
        REQUIRE(result);
        return result->exit_status == SIGTERM;
    });
    CHECK(ended_by_term);
    // Those that ignore it, as they inherit that.
    const auto result =
        late("trap '' TERM; sleep " + nap + " & sleep " + nap + " & : >$begun; wait");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK(eventually("the children are killed", [&] { return running(sleeper).empty(); }));
}

TEST_CASE_METHOD(CommandFixture, "command: a grandchild that holds the pipes does not hold us") {
    const auto result = sh("echo done; sleep " + nap + " & exit 4");
    REQUIRE(result); // not ended at its deadline
    CHECK(result->out == "done\n");
    CHECK(result->exit_status == 4);
    CHECK(eventually("the grandchild is killed", [&] { return running(sleeper).empty(); }));
    // One that went off into a session of its own is not ours to kill, but is not waited for
    // either.
    REQUIRE(timed({.argv = shell("setsid sh -c \": >$begun; exec sleep " + nap +
                                 "\" & until [ -e $begun ]; do sleep 0.01; done; exit 0")},
                  patience));
    std::vector<int> left;
    CHECK(eventually("the grandchild goes on", [&] {
        left = running(sleeper);
        return left.size() == 1;
    }));
    for (const int pid : left)
        ::kill(pid, SIGKILL);
}

TEST_CASE_METHOD(CommandFixture, "command: outputs are drained together, and bounded") {
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
    CHECK(run({"/bin/cat", "/dev/zero"}).error().code == Errc::too_large); // it would never end
}

TEST_CASE_METHOD(CommandFixture,
                 "command: one that writes holds the disk lock, to its last child") {
    CHECK(sh("flock -n -x " + lock + " true; echo $?")->out == "0\n");
    CHECK(sh("flock -n -x " + lock + " true; echo $?", patience, true)->out == "1\n");
    CHECK(lock_is_free());
    // The program ends, a child of it goes on writing (in a session of its own: it is not killed).
    // By way of 3, since a shell gives its background jobs /dev/null.
    const auto script = "exec 3<&0; setsid sh -c ': >$begun; while [ -e $begun ]; do sleep 0.01; "
                        "done' <&3 3<&- >/dev/null 2>&1 & until [ -e $begun ]; do sleep 0.01; "
                        "done; exit 0";
    REQUIRE(timed({.argv = shell(std::string("export begun; ") + script), .writes_disks = true},
                  patience));
    CHECK_FALSE(lock_is_free());
    fs::remove(begun); // the child, that was not waited for, goes on to here
    CHECK(eventually("the lock is free", [this] { return lock_is_free(); }));
    // Two of our own may write at once; one beside someone who wants to be alone may not.
    const int other = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::flock(other, LOCK_SH | LOCK_NB) == 0);
    CHECK(run({"/bin/true"}, patience, true));
    REQUIRE(::flock(other, LOCK_EX | LOCK_NB) == 0);
    CHECK(run({"/bin/true"}, patience, true).error().code == Errc::conflict);
    CHECK(run({"/bin/true"}));
    ::close(other);
}

TEST_CASE_METHOD(CommandFixture,
                 "command: who only asks whether the disk lock is free stops nobody") {
    const int nursery = family().at(0).pid;
    // The helper has opened the lock, and sleeps before it tries again.
    const auto helper_waits = [&] {
        return std::ranges::any_of(descendants(nursery), [&](const Process& helper) {
            return helper.state == 'S' && has_open(helper.pid, lock);
        });
    };
    // It has half a second for that: on a slow machine the lock may be given back too late.
    const bool has_run = eventually("a command runs once the lock is given back", [&] {
        const int other = ::open(lock.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        REQUIRE(::flock(other, LOCK_EX | LOCK_NB) == 0);
        std::atomic<bool> ended = false;
        std::jthread gives_it_back([&] {
            while (!helper_waits() && !ended)
                std::this_thread::sleep_for(5ms);
            ::close(other);
        });
        const auto result = run({"/bin/true"}, patience, true);
        ended = true;
        if (!result) CHECK(result.error().code == Errc::conflict);
        return result.has_value();
    });
    CHECK(has_run);
}

TEST_CASE_METHOD(CommandFixture, "command: the lock's file answers no question of the program") {
    std::ofstream(lock) << "y\ny\ny\n";
    CHECK(run({"/bin/cat"}, patience, true)->out == "");
}

TEST_CASE_METHOD(CommandFixture,
                 "command: LVM neither complains about the lock nor lets go of it") {
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
        result = run({"/sbin/lvm", "vgs", "--config", locking}, patience, true);
    });
    const auto waits = [] { // "1: -> FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF"
        const auto locks = Files().read("/proc/locks").value_or("");
        return std::ranges::any_of(running("/sbin/lvm"), [&](int pid) {
            return std::ranges::any_of(std::array{"WRITE ", "READ "}, [&](const char* kind) {
                return locks.contains("-> FLOCK  ADVISORY  " + (kind + std::to_string(pid)) + " ");
            });
        });
    };
    CHECK(eventually("LVM waits for its lock", waits));
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
        (void)own_runner->run(command, Deadline::in(*own_clock, patience));
        ::_exit(0);
    }
    REQUIRE(eventually("the program runs", [&] { return running(line).size() == 1; }));
    ::kill(agent, SIGKILL);
    ::waitpid(agent, nullptr, 0);
}

} // namespace

TEST_CASE_METHOD(CommandFixture,
                 "command: if the agent is killed, so is a program that only looks") {
    kill_agent_during({{"/bin/sleep", nap}}, lock, sleeper);
    CHECK(eventually("the program is killed", [&] { return running(sleeper).empty(); }));
}

TEST_CASE_METHOD(CommandFixture,
                 "command: one that writes goes on to its end, and holds the lock so long") {
    const std::string done = lock + ".done";
    const std::string script = "while [ -d " + folder.string() + " ] && ! [ -e " + begun.string() +
                               " ]; do sleep 0.01; done; echo said to nobody; echo done >" + done;
    kill_agent_during({{"/bin/sh", "-c", script}, true}, lock,
                      std::string("/bin/sh\0-c\0", 11) + script);
    CHECK_FALSE(Files().exists(done));
    CHECK_FALSE(lock_is_free());
    std::ofstream(begun).flush();
    CHECK(eventually("it is done, and the lock is free",
                     [&] { return Files().exists(done) && lock_is_free(); }));
}

TEST_CASE_METHOD(CommandFixture,
                 "command: exec that hangs is abandoned, two seconds after the deadline") {
    // What a program on a stuck volume does to the helper: its deadline is never looked at. Here
    // the program stops the helper, its parent, instead.
    const auto result = late("kill -STOP $PPID; : >$begun; exec sleep 1061.5");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::stuck);
    CHECK_THAT(result.error().message, Catch::Contains("neither success nor failure within"));
    CHECK(took_longer >= 2s);
    CHECK(eventually("helper and program are killed",
                     [] { return descendants(family().at(0).pid).empty(); }));
}

TEST_CASE_METHOD(CommandFixture, "command: hundreds leave nothing behind") {
    REQUIRE(run({"/bin/true"}));
    const auto files = open_files();
    const auto before = clock->now();
#ifdef MUSTER_SANITIZED
    const int runs = 100;
#else
    const int runs = std::getenv("MUSTER_SOAK") != nullptr ? 1000 : 300;
#endif
    for (int i = 0; i < runs; ++i) {
        REQUIRE(run({"/bin/true"})->exit_status == 0);
    }
    WARN("a command takes " << seconds(clock->now() - before) / runs * 1e3 << " ms");
    CHECK(open_files() == files);
    CHECK(eventually("only the nursery is left", [] { return family().size() == 1; }));
}

TEST_CASE("command: as a person would type it") {
    CHECK(to_string(Command{{"/sbin/lvm", "vgs", "-o", "vg_name", "--config", "log { a=1 }", ""},
                            false}) == "/sbin/lvm vgs -o vg_name --config 'log { a=1 }' ''");
    CHECK(to_string(Command{{"/bin/echo", "it's", "$x;"}, false}) == "/bin/echo 'it'\\''s' '$x;'");
}
