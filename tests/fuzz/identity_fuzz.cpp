// The instance identity document, as anything that sits at that address may answer.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "probes/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(muster::probes::parse_identity(text));
    return 0;
}
