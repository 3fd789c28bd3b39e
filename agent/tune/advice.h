// What the waits of a fleet teach: when to look, and when a new machine is quicker. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/tune/looks.h"

namespace muster::tune {

/// So many waits must have been found before anything is concluded from them: if none of n waits
/// took longer than the deadline, at most 1 in 100 will (with 95 % confidence) once 0.99^n < 0.05,
/// n = 299. And with as many the whole curve is right to 8 points in a hundred with the same
/// confidence (Dvoretzky, Kiefer, Wolfowitz, Massart: sqrt(ln(2 / 0.05) / 2n) = 0.079), so each
/// look stands that near to the share of waits for which it is meant.
inline constexpr unsigned wanted_waits = 299;

/// A configuration takes no longer list of looks.
inline constexpr std::size_t most_looks = 200;

struct Advice {
    std::string name;
    Survival survival;
    std::string refusal; ///< why nothing is concluded; "": all of what follows is there

    /// The moments to look at, before the deadline; one at the very beginning is left out: whoever
    /// waits looks then anyway.
    std::vector<double> looks;
    double deadline = 0; ///< seconds, whole ones
    /// Giving up here costs the least. `deadline` is the longest that costs those who still wait
    /// here no more than a tenth of a recreation besides: a machine that is recreated for nothing
    /// is worse than one that is waited for a little longer.
    double cheapest_deadline = 0;
    /// More than a hundredth was given up sooner than a new machine would have been there: whether
    /// to wait on would have been better can't be told.
    bool longer_unseen = false;
    double unavoidable = 0; ///< seconds until it comes, or the deadline: of who sees it at once
    Figures figures;
    /// Others under the same deadline, for comparison.
    Figures each_second;
    Figures doubling; ///< after 1, 3, 7, 15 ... seconds

    explicit Advice(std::string what, const Times& times)
        : name(std::move(what)), survival(times) {}
};

[[nodiscard]] Advice advise(const std::string& name, const Times& times, const Costs& costs);

/// Of all, in the order of their names.
[[nodiscard]] std::vector<Advice> advise(const Collected& collected, const Costs& costs);

/// Each second up to the deadline, and at it.
[[nodiscard]] std::vector<double> each_second(double deadline);
/// After 1, 3, 7, 15 ... seconds and at the deadline.
[[nodiscard]] std::vector<double> doubling(double deadline);

} // namespace muster::tune
