#include "agent/sys/kernel_log.h"

#include <array>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {

Result<std::vector<std::string>> read_kernel_log(const std::string& device) {
    constexpr std::size_t kMost = 20'000;
    // A kernel that logs faster than we read would never let us come to an end.
    constexpr int kTries = 200'000;
    const Fd log(::open(device.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!log) {
        return fail_errno(errno, "can't open " + device);
    }
    std::deque<std::string> records;
    std::array<char, 8192> record; // CONSOLE_EXT_LOG_MAX, the longest that there is
    for (int i = 0; i < kTries; ++i) {
        const ssize_t n = ::read(log.get(), record.data(), record.size());
        if (n > 0) {
            records.emplace_back(record.data(), static_cast<std::size_t>(n));
            if (records.size() > kMost) {
                records.pop_front();
            }
        } else if (n == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EPIPE && errno != EINTR) { // EPIPE: older ones were overwritten
            return fail_errno(errno, "can't read " + device);
        }
    }
    return std::vector<std::string>(records.begin(), records.end());
}

} // namespace muster
