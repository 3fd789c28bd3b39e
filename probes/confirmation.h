// When is an answer believed? After N equal readings in a row.
//
// People who ran 100,000 instances saw metadata answers that were empty, then right, then empty
// again (why.md section 1). So no single reading counts.
#pragma once

#include <optional>
#include <utility>

#include "agent/sys/clock.h"

namespace muster::probes {

/// Collects the readings of one value. Pure: it is told the time of each reading.
/// `T` needs ==. A reading of `nullopt` says "there is no such value" (404), which is an answer of
/// its own, believed only when it has also held for `absence_span`: false 404s of two seconds have
/// been seen (eks-ami pull request 1970).
template <class T>
class Confirmation {
  public:
    Confirmation(unsigned needed, Duration absence_span)
        : needed_(needed), absence_span_(absence_span) {}

    /// An answer. One that differs from the answer before restarts the count.
    void add(std::optional<T> reading, Instant at) {
        ++readings_;
        if (!first_) first_ = at;
        last_ = at;
        if (in_a_row_ > 0 && reading == latest_) {
            ++in_a_row_;
            return;
        }
        // Also across answers that held nothing: right, empty, wrong disagrees with itself.
        if (readings_ > 1 && reading != latest_) ++disagreements_;
        latest_ = std::move(reading);
        in_a_row_ = 1;
        since_ = at;
    }

    /// An answer without content, which says nothing about the value but that the service is not
    /// itself: whatever it said before must be said again.
    void add_empty() { in_a_row_ = 0; }

    [[nodiscard]] bool confirmed() const {
        return in_a_row_ >= needed_ && (latest_ || last_ - since_ >= absence_span_);
    }
    /// The answer so far; meaningful once confirmed. nullopt: confirmed to be absent.
    [[nodiscard]] const std::optional<T>& value() const { return latest_; }
    [[nodiscard]] bool seems_absent() const { return in_a_row_ > 0 && !latest_; }
    [[nodiscard]] unsigned readings() const { return readings_; }
    [[nodiscard]] unsigned in_a_row() const { return in_a_row_; }
    [[nodiscard]] unsigned disagreements() const { return disagreements_; }
    [[nodiscard]] std::optional<Instant> first() const { return first_; }
    [[nodiscard]] Instant last() const { return last_; }

  private:
    unsigned needed_;
    Duration absence_span_;
    std::optional<T> latest_;
    unsigned in_a_row_ = 0;
    unsigned readings_ = 0;
    unsigned disagreements_ = 0;
    std::optional<Instant> first_;
    Instant since_{}; ///< when the present row began
    Instant last_{};
};

} // namespace muster::probes
