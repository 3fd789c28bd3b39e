// When to look for an EBS volume that no event told of. Made by
// tests/agent/tune_published_test.cpp, which says what to put here when it no longer is what comes
// out.
#pragma once

#include <array>
#include <chrono>

namespace muster::probes {

/// Made of the 1,015 attachments that were measured in 2012 (docs/tune.md), by the code of `muster
/// tune`, with a look for 0.1 s of waiting: dense where most came, then ever more seldom.
inline constexpr std::array attach_polls = [] {
    using namespace std::chrono_literals;
    return std::array{
        9910ms,   10530ms,  11110ms,  11690ms,  12280ms,  12890ms,  13540ms,  14210ms,  14920ms,
        15610ms,  16320ms,  17050ms,  17790ms,  18590ms,  19480ms,  20420ms,  21540ms,  22520ms,
        23920ms,  25310ms,  27380ms,  29530ms,  32610ms,  35520ms,  38630ms,  48040ms,  57410ms,
        67400ms,  71530ms,  75910ms,  80550ms,  83800ms,  87190ms,  90710ms,  94380ms,  97180ms,
        103000ms, 109000ms, 115000ms, 122000ms, 130000ms, 137000ms, 154000ms, 174000ms, 192000ms,
        212000ms, 229000ms, 248000ms, 268000ms, 285000ms, 302000ms};
}();

} // namespace muster::probes
