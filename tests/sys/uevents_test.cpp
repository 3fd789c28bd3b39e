// That the kernel's events wake the one who waits is shown on a kernel that has disks to take away:
// uml.starts ("a disk of ours comes late").
#include "agent/sys/uevents.h"
#include "tests/catch.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

Duration waited(BlockWatch& watch, Duration limit) {
    const auto start = std::chrono::steady_clock::now();
    watch.wait(start + limit);
    return std::chrono::steady_clock::now() - start;
}

} // namespace

TEST_CASE("uevents: without any, a wait ends at its limit") {
    const auto watch = watch_block_devices();
    // Other tests attach loop devices beside this one: not each wait need last.
    int lasted = 0;
    for (int i = 0; i < 20; ++i)
        lasted += waited(*watch, 20ms) >= 20ms ? 1 : 0;
    CHECK(lasted > 0);
    const testing::Limit limit;
    watch->wait(std::chrono::steady_clock::now() - 1h);
    CHECK(limit.holds("a wait whose limit is past"));
}
