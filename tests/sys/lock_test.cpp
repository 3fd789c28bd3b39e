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

using namespace muster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Fixture {
    Fixture() {
        std::string name = "/tmp/muster-lock.XXXXXX";
        folder = ::mkdtemp(name.data());
        path = folder / "run/lock";
    }
    ~Fixture() { fs::remove_all(folder); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    fs::path folder;
    std::string path;
};

} // namespace

TEST_CASE_METHOD(Fixture, "lock: one holder at a time") {
    {
        auto lock = Lock::take(path);
        REQUIRE(lock);
        const auto second = Lock::take(path);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == Errc::conflict);
        CHECK(second.error().message == path + " is held by process " + std::to_string(::getpid()));
        const Lock moved = std::move(*lock);
        CHECK_FALSE(Lock::take(path));
    }
    CHECK(Lock::take(path));
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE_METHOD(Fixture, "lock: a killed holder's lock is free") {
    const pid_t holder = ::fork();
    if (holder == 0) {
        const auto lock = Lock::take(path);
        ::pause();
        ::_exit(0);
    }
    REQUIRE(testing::eventually([&] { return fs::exists(path) && !Lock::take(path); }));
    CHECK(Lock::take(path).error().message.ends_with(std::to_string(holder)));
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    CHECK(Lock::take(path));
}

TEST_CASE_METHOD(Fixture, "lock: never follows a link, never makes more than its folder") {
    std::ofstream(folder / "victim") << "precious";
    fs::create_symlink(folder / "victim", folder / "link");
    CHECK_FALSE(Lock::take(folder / "link"));
    std::string content;
    std::ifstream(folder / "victim") >> content;
    CHECK(content == "precious");
    CHECK(Lock::take(folder / "a/b/lock").error().code == Errc::absent);
}

TEST_CASE_METHOD(Fixture, "lock: waiting ends with the holder, or at the deadline") {
    FakeClock clock;
    REQUIRE(Lock::wait_until_free(path, clock, Deadline::in(clock, 0s)));
    CHECK_FALSE(fs::exists(path)); // a look makes nothing
    REQUIRE(Lock::take(path));
    const int holder = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::flock(holder, LOCK_SH | LOCK_NB) == 0); // as a command that writes holds it
    const auto late = Lock::wait_until_free(path, clock, Deadline::in(clock, 3s));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::stuck);
    CHECK(clock.elapsed() == 3s);
    ::close(holder);
    CHECK(Lock::wait_until_free(path, clock, Deadline::in(clock, 3s)));
    CHECK(clock.elapsed() == 3s);
}
