#include "agent/sys/notify.h"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::optional<std::uint64_t> to_number(const std::string& text) {
    std::uint64_t number = 0;
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return number;
}

} // namespace

Result<void> notify_manager(const std::string& socket, std::string_view state) {
    if (socket.empty()) {
        return {};
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if ((socket[0] != '/' && socket[0] != '@') || socket.size() >= sizeof(address.sun_path)) {
        return fail(Errc::malformed, "NOTIFY_SOCKET: expected a path or @name, found " + socket);
    }
    std::memcpy(address.sun_path, socket.data(), socket.size());
    if (socket[0] == '@') {
        address.sun_path[0] = '\0'; // an abstract name; its length ends it
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
    const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // A manager that does not read must not hold us up for ever.
    const timeval limit{1, 0};
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), length) < 0) {
        return fail_errno(errno, "can't notify " + socket);
    }
    return {};
}

std::string manager_socket() {
    return environment("NOTIFY_SOCKET");
}

std::optional<Duration> watchdog_interval() {
    const auto limit = to_number(environment("WATCHDOG_USEC"));
    const auto pid = environment("WATCHDOG_PID");
    constexpr std::uint64_t kYear = 365ULL * 24 * 3600 * 1'000'000;
    if (!limit || *limit < 2 || *limit > kYear ||
        (!pid.empty() && to_number(pid) != static_cast<std::uint64_t>(::getpid()))) {
        return std::nullopt;
    }
    return std::chrono::microseconds(*limit / 2);
}

std::string reloading_state() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now); // systemd compares with its own reading of this clock
    const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                              static_cast<std::uint64_t>(now.tv_nsec) / 1000;
    return "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds);
}

} // namespace muster
