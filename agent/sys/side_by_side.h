// The same for each of several things at once, where one that hangs is not to hold up the others.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "agent/sys/clock.h"

namespace muster {

/// What `work` gives for each item, in their order; returns when the last has ended. Each runs in a
/// thread of its own, called `name`, and has its own deadline.
template <class Item, class Work>
[[nodiscard]] auto side_by_side(Clock& clock, const std::string& name,
                                const std::vector<Item>& items, const Work& work) {
    using Found = std::invoke_result_t<Work, const Item&>;
    static_assert(!std::is_same_v<Found, bool>, "the bits of a vector<bool> share bytes");
    std::vector<Found> found(items.size());
    std::vector<std::unique_ptr<Job>> jobs;
    jobs.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i)
        jobs.push_back(clock.start(name, [&, i] { found[i] = std::invoke(work, items[i]); }));
    for (const auto& job : jobs)
        clock.wait(*job);
    return found;
}

} // namespace muster
