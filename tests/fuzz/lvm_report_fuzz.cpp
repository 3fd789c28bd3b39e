// What lvm fullreport prints.
#include "lvm/report.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;

void try_out(std::string_view text) {
    const auto report = lvm::parse_report(text);
    if (!report) return;
    for (const auto& group : report->groups) {
        for (const auto& tag : group.tags) {
            fuzz::must(tag.find(',') == tag.npos, "a tag is one tag");
            fuzz::must(group.has_tag(tag), "a group has its tags");
        }
    }
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
