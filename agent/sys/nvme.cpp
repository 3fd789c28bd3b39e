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
constexpr std::uint8_t kGetLogPage = 0x02;
constexpr std::uint32_t kController = 1; ///< CNS, in the lowest byte of dword 10
constexpr std::uint32_t kAllNamespaces = 0xffffffff;
constexpr std::size_t kSize = 4096;

/// Sends an admin command that reads `command.data_len` bytes.
Result<std::string> ask(const std::string& node, std::string_view what, nvme_admin_cmd command) {
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
    command.addr = reinterpret_cast<std::uintptr_t>(&data[0]);
    const auto told = std::string(what) + " of " + node;
    const int result = ::ioctl(fd.get(), NVME_IOCTL_ADMIN_CMD, &command);
    if (result < 0) {
        return fail_errno(errno, told);
    }
    if (result > 0) { // the controller's own status, not an errno
        return fail(Errc::io, told + ": NVMe status " + std::to_string(result));
    }
    return std::string(&data[0], command.data_len);
}

} // namespace

Result<std::string> identify_controller(const std::string& node) {
    nvme_admin_cmd command{};
    command.opcode = kIdentify;
    command.data_len = kSize;
    command.cdw10 = kController;
    return ask(node, "Identify", command);
}

Result<std::string> read_log_page(const std::string& node, std::uint8_t page,
                                  std::uint32_t length) {
    if (length == 0 || length > kSize || length % 4 != 0) {
        return fail(Errc::malformed, "a log page of " + std::to_string(length) + " bytes");
    }
    nvme_admin_cmd command{};
    command.opcode = kGetLogPage;
    command.nsid = kAllNamespaces;
    command.data_len = length;
    // The number of dwords counts from zero: amazon-ec2-utils' own 1024 asks for one too many.
    command.cdw10 = page | ((length / 4 - 1) << 16);
    return ask(node, "a log page", command);
}

} // namespace muster
