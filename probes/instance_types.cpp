#include "probes/instance_types.h"

#include <algorithm>
#include <functional>

namespace muster::probes {
namespace {

// The name lies in the row: no pointer, which a program that is loaded anywhere would relocate.
struct Row {
    char type[20];
    std::uint8_t count;
    bool nvme;
    std::uint16_t size; ///< GB, of each
    [[nodiscard]] constexpr std::string_view name() const { return type; }
};

constexpr Row rows[] = {
#include "instance_store.inc"
};
static_assert(std::ranges::is_sorted(rows, std::less(), &Row::name));

/// AWS's GB is 10^9 bytes of some disks and 2^30 of others (m3.xlarge: 40 are 40256929792,
/// c1.medium: 350 are 375809638400), so the larger one, and a little more.
constexpr std::uint64_t bytes_at_most(std::uint64_t size) {
    constexpr std::uint64_t unit = std::uint64_t{1} << 30;
    return size * (unit + unit / 64);
}

} // namespace

std::optional<InstanceStore> instance_store_of(std::string_view instance_type) {
    const auto* found = std::ranges::lower_bound(rows, instance_type, std::less(), &Row::name);
    if (found == std::end(rows) || found->name() != instance_type) return std::nullopt;
    return InstanceStore{found->count, found->nvme, bytes_at_most(found->size)};
}

std::optional<unsigned> instance_store_count(std::string_view instance_type) {
    const auto store = instance_store_of(instance_type);
    return store ? std::optional(store->count) : std::nullopt;
}

} // namespace muster::probes
