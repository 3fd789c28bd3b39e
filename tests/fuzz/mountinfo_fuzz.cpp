// /proc/self/mountinfo, which holds names that any user chose.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/sys/mounts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(muster::parse_mountinfo(text));
    return 0;
}
