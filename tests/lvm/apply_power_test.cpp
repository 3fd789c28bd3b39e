// From each start that a machine may be in: to the same end, the power cut at any step.
#include <cstdlib>

#include "tests/lvm/starts.h"

using namespace muster;
using namespace muster::lvm;

TEST_CASE("apply: from each start, to the same end") {
    for (const auto& start : starts) {
        CAPTURE(start.name);
        Assembly job(2);
        start.prepare(job);
        job.machine.refresh();
        const auto done = job.run();
        CHECK(done.message.empty());
        job.check_finished();
    }
}

TEST_CASE("apply: the power goes at any step, before its effect or after: it converges") {
    for (const auto& start : starts) {
        Assembly whole(2);
        start.prepare(whole);
        whole.machine.refresh();
        REQUIRE(whole.run().message.empty());
        const int effects = whole.machine.effects;
        REQUIRE(effects >= 10);
        // Once more in the second run: at some places there, or at all of them.
        const int stride = std::getenv("MUSTER_SOAK") != nullptr ? 1 : 7;
        for (int first = 0; first < 2 * effects; ++first) {
            for (int second = -1; second < 2 * effects; second += second < 0 ? 1 : stride) {
                CAPTURE(start.name, first, second);
                Assembly job(2);
                start.prepare(job);
                job.machine.refresh();
                const auto run_cut = [&](int cut) {
                    (cut % 2 == 0 ? job.machine.cut_before : job.machine.cut_after) = cut / 2;
                    bool gone = false;
                    try {
                        const auto done = job.run();
                        CHECK(done.message.empty());
                    } catch (const PowerCut&) {
                        gone = true;
                    }
                    job.machine.reboot();
                    return gone;
                };
                REQUIRE(run_cut(first));
                if (second >= 0) run_cut(second);
                const auto done = job.run();
                REQUIRE(done.message.empty());
                job.check_finished();
            }
        }
    }
}
