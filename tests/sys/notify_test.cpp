#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/notify.h"
#include "tests/catch.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

/// A service manager's end: a datagram socket at a path or, with "@", at an abstract name.
struct Manager {
    explicit Manager(std::string where) : name(std::move(where)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@') address.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        REQUIRE(fd);
        REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    }
    [[nodiscard]] std::string heard() const {
        std::array<char, 1000> text{};
        const auto size = ::recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
        return size < 0 ? "(nothing)" : std::string(text.data(), static_cast<std::size_t>(size));
    }
    std::string name;
    Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

struct Environment {
    ~Environment() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
            ::unsetenv(name);
    }
    static void set(const char* name, const std::string& value) {
        ::setenv(name, value.c_str(), 1);
    }
};

} // namespace

TEST_CASE("notify: a socket with a path and an abstract one") {
    std::string folder = "/tmp/muster-notify.XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    for (const auto& name : {folder + "/notify", "@muster-notify-" + std::to_string(::getpid())}) {
        INFO(name);
        const Manager manager(name);
        CHECK(notify_manager(name, "READY=1"));
        CHECK(manager.heard() == "READY=1");
        CHECK(notify_manager(name, "RELOADING=1\nMONOTONIC_USEC=7"));
        CHECK(manager.heard() == "RELOADING=1\nMONOTONIC_USEC=7");
        CHECK(manager.heard() == "(nothing)");
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("notify: where there is nobody, nothing is done; where it fails, it says so") {
    CHECK(notify_manager("", "READY=1"));
    for (const std::string name :
         {"/tmp/no/such/socket", "relative", "@", "@muster-nobody",
          "/tmp/a-name-that-is-longer-than-any-socket-can-have/"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
        const auto sent = notify_manager(name, "READY=1");
        REQUIRE_FALSE(sent);
        CHECK_THAT(sent.error().message, Catch::Contains(name));
    }
}

TEST_CASE("notify: a manager that does not read holds nobody up") {
    const Manager manager("@muster-notify-full-" + std::to_string(::getpid()));
    const testing::Limit limit;
    Result<void> sent;
    for (int i = 0; i < 10'000 && sent; ++i)
        sent = notify_manager(manager.name, "WATCHDOG=1");
    CHECK_FALSE(sent);
    CHECK(limit.holds("a message to a manager that reads none"));
}

TEST_CASE("notify: what the manager asks for, in the environment") {
    const Environment environment;
    CHECK(manager_socket().empty());
    CHECK(watchdog_interval() == std::nullopt);
    Environment::set("NOTIFY_SOCKET", "@x");
    CHECK(manager_socket() == "@x");
    Environment::set("WATCHDOG_USEC", "60000000");
    CHECK(watchdog_interval() == 30s);
    Environment::set("WATCHDOG_PID", std::to_string(::getpid()));
    CHECK(watchdog_interval() == 30s);
    Environment::set("WATCHDOG_PID", "1"); // somebody else is meant
    CHECK(watchdog_interval() == std::nullopt);
    ::unsetenv("WATCHDOG_PID");
    for (const char* wrong :
         {"", "0", "1", "-5", "30s", "99999999999999999999999", "9999999999999999999"}) {
        INFO(wrong);
        Environment::set("WATCHDOG_USEC", wrong);
        CHECK(watchdog_interval() == std::nullopt);
    }
}

TEST_CASE("notify: a reload says when it began, by systemd's clock") {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
               static_cast<std::uint64_t>(time.tv_nsec) / 1'000;
    };
    const auto before = now();
    const auto state = reloading_state();
    const auto after = now();
    const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
    REQUIRE(state.starts_with(head));
    const auto told = std::stoull(state.substr(head.size()));
    CHECK(told >= before);
    CHECK(told <= after);
}
