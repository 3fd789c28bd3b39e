// The seeds of a test that tries random cases.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace muster::testing {

struct Seeds {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// `few` cases, always the same ones. With MUSTER_SOAK=1 `many`, from MUSTER_SEED on (./dev soak
/// draws and prints it). With MUSTER_SEED alone just that one: how a failure is looked at again.
inline Seeds seeds(std::uint64_t few, std::uint64_t many) {
    const char* text = std::getenv("MUSTER_SEED");
    const std::uint64_t first = text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
    if (std::getenv("MUSTER_SOAK") != nullptr) return {first, many};
    return {first, text != nullptr ? 1 : few};
}

} // namespace muster::testing
