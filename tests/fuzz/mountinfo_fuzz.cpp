// /proc/self/mountinfo, which holds names that any user chose.
#include "agent/sys/mounts.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;

std::size_t count_lines(std::string_view text) {
    std::size_t lines = 0;
    char before = '\n';
    for (const char c : text) {
        if (before == '\n' && c != '\n') ++lines;
        before = c;
    }
    return lines;
}

void try_out(std::string_view text) {
    const auto mounts = parse_mountinfo(text);
    // A mount that is overlooked is a disk in use that is taken for free.
    fuzz::must(!mounts || mounts->size() == count_lines(text), "no line is passed over");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
