#include "probes/instance_types.h"

#include <algorithm>
#include <array>

namespace muster::probes {

bool has_store_without_model(std::string_view instance_type) {
    constexpr std::array<std::string_view, 18> families = {"c1", "c3", "cc1", "cc2", "cg1", "cr1",
                                                           "d2", "g2", "h1",  "hi1", "hs1", "i2",
                                                           "m1", "m2", "m3",  "r3",  "x1",  "x1e"};
    const auto family = instance_type.substr(0, instance_type.find('.'));
    return std::ranges::find(families, family) != families.end();
}

} // namespace muster::probes
