#include "agent/sys/uevents.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/netlink.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>

#include "agent/sys/fd.h"

namespace muster {

namespace {

using namespace std::string_view_literals;

constexpr Duration kLookAgain = std::chrono::seconds(1);
constexpr Duration kSettling = std::chrono::seconds(5);
constexpr Duration kLookWhenDeaf = std::chrono::milliseconds(100);
constexpr unsigned kFromKernel = 1; ///< the group of the kernel's own events; 2 is udev's

Fd open_socket() {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kFromKernel;
    if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Fd{};
    }
    return fd;
}

class Watch : public BlockWatch {
  public:
    void wait(Instant until) override {
        const auto start = clock_->now();
        if (!socket_) {
            until = std::min(until, start + kLookWhenDeaf);
        } else if (start < settled_) {
            until = std::min(until, start + kLookAgain);
        }
        while (!take_events()) {
            // poll's own clock stands still while a machine is suspended: a second at once.
            const auto left = std::min<Duration>(until - clock_->now(), std::chrono::seconds(1));
            if (left <= Duration::zero()) {
                return;
            }
            const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left);
            pollfd watched{socket_ ? socket_.get() : -1, POLLIN, 0};
            if (::poll(&watched, 1, static_cast<int>(whole.count())) < 0 && errno != EINTR) {
                return;
            }
        }
        settled_ = clock_->now() + kSettling;
    }

  private:
    /// Reads what has come, a storm in parts; true where one is of a block device.
    bool take_events() {
        constexpr int kMost = 1000;
        bool block = false;
        std::array<char, 8192> message; // the kernel's own limit is 2 KiB of variables
        for (int i = 0; socket_ && i < kMost; ++i) {
            const auto size = ::recv(socket_.get(), message.data(), message.size(), 0);
            if (size < 0 && errno == EINTR) {
                continue;
            }
            if (size < 0) {
                // ENOBUFS: there were more than fit, so some of them may have been ours.
                return block || errno == ENOBUFS;
            }
            const std::string_view text(message.data(), static_cast<std::size_t>(size));
            block = block || text.find("SUBSYSTEM=block\0"sv) != std::string_view::npos;
        }
        return block;
    }

    std::unique_ptr<Clock> clock_ = make_system_clock();
    Fd socket_ = open_socket();
    Instant settled_{};
};

} // namespace

std::unique_ptr<BlockWatch> watch_block_devices() {
    return std::make_unique<Watch>();
}

} // namespace muster
