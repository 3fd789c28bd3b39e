#include "agent/sys/schedule.h"

#include <algorithm>

namespace muster {

Schedule::Schedule(Backoff backoff, std::uint64_t seed)
    : backoff_(backoff), ceiling_(backoff.base), random_(seed) {}

Duration Schedule::next(Duration at_least) {
    const Duration wait = between(Duration::zero(), std::min(ceiling_, backoff_.cap));
    ceiling_ = std::min(ceiling_ * 2, backoff_.cap);
    return at_least + wait;
}

Duration Schedule::between(Duration low, Duration high) {
    std::uniform_int_distribution<Duration::rep> draw(low.count(), std::max(low, high).count());
    return Duration(draw(random_));
}

void Schedule::reset() {
    ceiling_ = backoff_.base;
}

} // namespace muster
