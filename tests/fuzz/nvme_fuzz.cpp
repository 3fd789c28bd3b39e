// The vendor area of NVMe Identify Controller, where EC2 writes the name that a volume was attached
// as. A disk that a stranger made says what it likes there.
#include <string>

#include "probes/block_devices.h"
#include "probes/ebs.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

constexpr std::size_t vendor_area = 3072;
constexpr std::size_t longest = 32;

bool is_plain(std::string_view name) {
    return std::ranges::all_of(
        name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/'; });
}

void try_identify(std::string_view data) {
    const auto name = probes::parse_vendor_name(data);
    must(name.empty() || data.size() >= vendor_area + longest, "no name without a vendor area");
    must(name.size() <= longest && is_plain(name), "a name is letters, digits and slashes");
    if (name.empty()) return;
    must(data.substr(vendor_area).starts_with(name), "a name is what stands there");
    const auto rest = data.substr(vendor_area + name.size(), longest - name.size());
    must(rest.substr(0, rest.find('\0')).find_first_not_of(' ') == rest.npos,
         "a name is all that stands there");
    must(probes::same_device_name(name, name), "a name is the same as itself");
    if (!name.starts_with("/dev/")) {
        must(probes::same_device_name("/dev/" + name, name), "/dev/ makes no difference");
    }
}

/// As the whole 4096 bytes, and as no more than the vendor area.
void try_out(std::string_view data) {
    try_identify(data);
    auto whole = std::string(vendor_area, '\0').append(data.substr(0, 1024));
    whole.resize(4096);
    try_identify(whole);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
