// A part of a whole, or an amount: "5%" or "10GiB".
#pragma once

#include <cstdint>
#include <optional>

namespace muster {

struct Share {
    double percent = 0; ///< used where `amount` is not set
    std::optional<std::uint64_t> amount;

    /// How much of `whole` that is.
    [[nodiscard]] std::uint64_t of(std::uint64_t whole) const {
        return amount ? *amount
                      : static_cast<std::uint64_t>(static_cast<double>(whole) / 100 * percent);
    }
};

} // namespace muster
