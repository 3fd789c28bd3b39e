// One configuration file.
#include <string>

#include "agent/config/config.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

void try_out(std::string_view text) {
    const auto loaded = load_config({{"/etc/muster/muster.json", std::string(text)}});
    for (const auto& mistake : loaded.mistakes) {
        must(!mistake.problem.empty(), "a mistake is explained");
        must(mistake.text().find('\n') == std::string::npos, "a mistake is told in one line");
    }
    if (!loaded.valid()) return;
    // What is in effect, given as the whole configuration, is in effect.
    const auto again = load_config({{"effective.json", loaded.effective.dump()}});
    must(again.mistakes.empty(), "the effective configuration has no mistakes");
    must(again.effective == loaded.effective, "the effective configuration stays in effect");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
