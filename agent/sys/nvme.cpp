#include "agent/sys/nvme.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent/sys/fd.h"

namespace muster {

namespace {

constexpr std::uint8_t kIdentify = 0x06;
constexpr std::uint32_t kController = 1; ///< CNS, in the lowest byte of dword 10
constexpr std::size_t kSize = 4096;

} // namespace

Result<std::string> identify_controller(const std::string& node) {
    const Fd fd(::open(node.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return fail_errno(errno, "can't open " + node);
    }
    struct stat status{};
    // Ask first whether it is one at all: 'N' 0x40 takes nothing and gives the namespace's number.
    // Other drivers say ENOTTY or EINVAL to it.
    if (::fstat(fd.get(), &status) != 0 || !S_ISBLK(status.st_mode) ||
        ::ioctl(fd.get(), NVME_IOCTL_ID) < 0) {
        return fail(Errc::malformed, node + " is no NVMe disk");
    }
    alignas(kSize) static char data[kSize];
    nvme_admin_cmd command{};
    command.opcode = kIdentify;
    command.addr = reinterpret_cast<std::uintptr_t>(&data[0]);
    command.data_len = kSize;
    command.cdw10 = kController;
    const int result = ::ioctl(fd.get(), NVME_IOCTL_ADMIN_CMD, &command);
    if (result < 0) {
        return fail_errno(errno, "Identify of " + node);
    }
    if (result > 0) { // the controller's own status, not an errno
        return fail(Errc::io, "Identify of " + node + ": NVMe status " + std::to_string(result));
    }
    return std::string(&data[0], kSize);
}

} // namespace muster
