// What lvm fullreport prints.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lvm/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(muster::lvm::parse_report(text));
    return 0;
}
