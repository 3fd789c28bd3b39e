// The looks of `muster watch` at a real machine.
#pragma once

#include <memory>

#include "agent/real_world.h"
#include "agent/watch/eyes.h"

namespace muster {

/// References must outlive the result.
[[nodiscard]] std::unique_ptr<Eyes> make_real_eyes(RealWorld& real);

/// The same over any world, for tests.
[[nodiscard]] std::unique_ptr<Eyes> make_eyes(const World& world);

} // namespace muster
