// Records of /dev/kmsg, a line each here. Device and volume names in them are a stranger's.
#include <string>
#include <vector>

#include "probes/kernel_log.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

void try_out(std::string_view text) {
    std::vector<std::string> records;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        records.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (const auto& record : records) {
        const auto parsed = probes::parse_kernel_record(record);
        if (!parsed) continue;
        must(parsed->level <= 7, "a level is one of eight");
        must(parsed->seconds >= 0, "a record is of this boot");
        must(record.ends_with(parsed->text), "its text is what stands at its end");
    }
    unsigned counted = 0;
    for (const auto& trouble : probes::find_trouble(records)) {
        must(!trouble.what.empty() && !trouble.sample.empty(), "trouble is shown");
        must(trouble.sample.size() <= 200, "and in short");
        must(trouble.count > 0, "and was seen");
        counted += trouble.count;
    }
    must(counted <= records.size(), "a record counts once");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
