// /proc/swaps: a device in it that is overlooked is a disk in use that is taken for free.
#include "probes/block_devices.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

std::size_t count_lines_with_a_path(std::string_view text) {
    std::size_t lines = 0;
    for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) {
        if (text.substr(at + 1).starts_with('/')) ++lines;
    }
    return lines;
}

void try_out(std::string_view text) {
    const auto paths = probes::parse_swaps(text);
    must(paths.size() == count_lines_with_a_path(text), "no line is passed over but the first");
    for (const auto& path : paths) {
        must(path.starts_with('/') && path.find_first_of(" \t\n") == path.npos, "a path is a path");
        must(text.find("\n" + path) != text.npos, "a path is what stands there");
    }
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
