#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sys/lock.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/sys/processes.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct LockFixture : TemporaryFolder {
    std::string file = path / "run/lock";
};

} // namespace

TEST_CASE_METHOD(LockFixture, "lock: one holder at a time") {
    {
        auto lock = Lock::take(file);
        REQUIRE(lock);
        const auto second = Lock::take(file);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == Errc::conflict);
        CHECK(second.error().message == file + " is held by process " + std::to_string(::getpid()));
        const Lock moved = std::move(*lock);
        CHECK_FALSE(Lock::take(file));
    }
    CHECK(Lock::take(file));
    struct stat status{};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE_METHOD(LockFixture, "lock: a killed holder's lock is free") {
    const pid_t holder = ::fork();
    if (holder == 0) {
        auto lock = Lock::take(file);
        while (!lock) // we look, just now
            lock = Lock::take(file);
        ::pause();
        ::_exit(0);
    }
    REQUIRE(testing::eventually("the other process has the lock",
                                [&] { return fs::exists(file) && !Lock::take(file); }));
    CHECK(Lock::take(file).error().message.ends_with(std::to_string(holder)));
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    CHECK(Lock::take(file));
}

TEST_CASE_METHOD(LockFixture, "lock: never follows a link, never makes more than its folder") {
    std::ofstream(path / "victim") << "precious";
    fs::create_symlink(path / "victim", path / "link");
    CHECK_FALSE(Lock::take(path / "link"));
    std::string content;
    std::ifstream(path / "victim") >> content;
    CHECK(content == "precious");
    CHECK(Lock::take(path / "a/b/lock").error().code == Errc::absent);
}

TEST_CASE_METHOD(LockFixture, "lock: waiting ends with the holder, or at the deadline") {
    FakeClock clock;
    REQUIRE(Lock::wait_until_free(file, clock, Deadline::in(clock, 0s)));
    CHECK_FALSE(fs::exists(file)); // a look makes nothing
    REQUIRE(Lock::take(file));
    const int holder = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::flock(holder, LOCK_SH | LOCK_NB) == 0); // as a command that writes holds it
    const auto late = Lock::wait_until_free(file, clock, Deadline::in(clock, 3s));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::stuck);
    CHECK(clock.elapsed() == 3s);
    ::close(holder);
    CHECK(Lock::wait_until_free(file, clock, Deadline::in(clock, 3s)));
    CHECK(clock.elapsed() == 3s);
}
