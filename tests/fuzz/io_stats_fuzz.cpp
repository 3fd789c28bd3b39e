// What kernel and volume count: EBS's log page, /proc/pressure/io.
#include "probes/ebs_stats.h"
#include "probes/kernel_evidence.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

void try_out(std::string_view data) {
    if (const auto stats = probes::parse_ebs_stats(data)) {
        must(data.size() >= 96 && data.starts_with("\x10\xb5\x23\x3c"), "the page is EBS's");
        must(!probes::parse_ebs_stats(data.substr(0, 95)), "no numbers beyond the end");
    }
    if (const auto pressure = probes::parse_pressure(data)) {
        must(pressure->some >= 0 && pressure->some <= 100, "a share is a share");
        must(pressure->full >= 0 && pressure->full <= 100, "a share is a share");
    }
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
