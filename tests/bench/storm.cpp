// storm AGENTS UP_AFTER DEADLINE (seconds): what came of it, as JSON. tests/bench/storm.py draws
// it.
#include "tests/bench/storm.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
    const auto storm =
        muster::testing::storm(static_cast<unsigned>(number(1)), std::chrono::seconds(number(2)),
                               std::chrono::seconds(number(3)));
    const nlohmann::json json = {
        {"agents", number(1)},
        {"up_after", number(2)},
        {"slot", muster::seconds(muster::testing::Histogram::slot)},
        {"tries", storm.tries},
        {"answered", storm.answered},
        {"delivered", storm.delivered},
        {"most_tries", storm.most_tries},
        {"most_connections", storm.most_connections},
        {"last_seconds", storm.last_seconds},
    };
    std::puts(json.dump().c_str());
    return storm.delivered == number(1) ? 0 : 1;
}
