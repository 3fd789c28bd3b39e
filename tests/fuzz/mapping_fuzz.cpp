// The listing of block-device-mapping and one of its entries.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "probes/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(muster::probes::parse_mapping_names(text));
    static_cast<void>(muster::probes::parse_mapping_device(text));
    return 0;
}
