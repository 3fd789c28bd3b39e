// The listing of block-device-mapping and one of its entries.
#include "probes/metadata.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::probes;
using fuzz::must;

void try_names(std::string_view text) {
    const auto names = parse_mapping_names(text);
    if (!names) return fuzz::must_be_presentable(names.error());
    must(!names->empty() && names->size() <= 128, "1 to 128 names");
    must(std::ranges::is_sorted(*names), "names are sorted");
    must(std::ranges::adjacent_find(*names) == names->end(), "each name once");
    std::string listing;
    for (const auto& name : *names) {
        // It becomes part of a path in the service.
        must(name.find_first_of("/.%?# \r\n") == name.npos, "a name is one step of a path");
        listing += name + "\n";
    }
    fuzz::must_reparse(parse_mapping_names, listing, *names);
}

void try_device(std::string_view text) {
    const auto device = parse_mapping_device(text);
    if (!device) return fuzz::must_be_presentable(device.error());
    must(!device->empty() && device->size() <= 64, "a device has a name, of bounded length");
    must(device->find_first_of("/.") == device->npos, "a device is no path");
    fuzz::must_reparse(parse_mapping_device, *device, *device);
    fuzz::must_reparse(parse_mapping_device, "/dev/" + *device + "\r\n", *device);
}

void try_out(std::string_view text) {
    try_names(text);
    try_device(text);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
