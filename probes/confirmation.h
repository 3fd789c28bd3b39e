// When is an answer believed? After N equal readings in a row; a doubtful one must also have
// lasted.
//
// People who ran 100,000 instances saw metadata answers that were empty, then right, then empty
// again (why.md section 1). So no single reading counts.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "agent/sys/clock.h"

namespace muster::probes {

/// What it takes to believe an answer.
struct Need {
    unsigned present = 3; ///< equal readings of a value, in a row
    unsigned absent = 3;  ///< readings of "there is none", in a row
    /// A doubtful answer must have held for this long besides.
    Duration span = std::chrono::seconds(5);
};

/// Collects the readings of one value. Pure: it is told the time of each reading.
/// `T` needs ==. A reading of `nullopt` says "there is no such value" (404), which is an answer of
/// its own. Doubtful are: absence (false 404s of two seconds have been seen: eks-ami pull request
/// 1970); a value that the kernel contradicts; and one that was preceded by another value, since
/// one of the two was a lie and lies come in spells.
template <class T>
class Confirmation {
  public:
    /// `known`: confirmed earlier. It is sticky: one reading that says it again confirms it, and
    /// any other is doubtful.
    explicit Confirmation(Need need, std::optional<T> known = {})
        : need_(need), known_(std::move(known)) {
        if (known_) seen_.push_back(*known_);
    }

    /// An answer. One that differs from the answer before restarts the count.
    void add(std::optional<T> reading, Instant at, bool contradicted = false) {
        ++readings_;
        if (!first_) first_ = at;
        last_ = at;
        contradicted_ = contradicted;
        if (in_a_row_ > 0 && reading == latest_) {
            ++in_a_row_;
            return;
        }
        // Also across answers that held nothing: right, empty, wrong disagrees with itself.
        if (readings_ > 1 && reading != latest_) ++disagreements_;
        latest_ = std::move(reading);
        in_a_row_ = 1;
        since_ = at;
        if (latest_ && seen_.size() < max_seen && std::ranges::find(seen_, *latest_) == seen_.end())
            seen_.push_back(*latest_);
    }

    /// An answer without content, which says nothing about the value but that the service is not
    /// itself: whatever it said before must be said again.
    void add_empty() { in_a_row_ = 0; }

    [[nodiscard]] bool confirmed() const {
        if (in_a_row_ == 0) return false;
        if (latest_ && latest_ == known_) return true;
        return in_a_row_ >= needed() && (!doubtful() || last_ - since_ >= need_.span);
    }
    /// The latest answer, if there was one, must last and not only be said again.
    [[nodiscard]] bool doubtful() const {
        return in_a_row_ > 0 && (!latest_ || contradicted_ || changed());
    }
    /// For how long a doubtful answer that was read often enough must still hold.
    [[nodiscard]] Duration must_hold() const {
        if (!doubtful() || in_a_row_ < needed()) return Duration::zero();
        return since_ + need_.span - last_;
    }
    /// Another value was read before the latest one.
    [[nodiscard]] bool changed() const { return seen_.size() > 1; }
    /// How many readings in a row the latest answer needs.
    [[nodiscard]] unsigned needed() const { return latest_ ? need_.present : need_.absent; }

    /// The answer so far; meaningful once confirmed. nullopt: confirmed to be absent.
    [[nodiscard]] const std::optional<T>& value() const { return latest_; }
    /// Every different value, the known one included, in the order in which they came; the first
    /// `max_seen` of them.
    [[nodiscard]] const std::vector<T>& seen() const { return seen_; }
    [[nodiscard]] bool contradicted() const { return contradicted_; }
    [[nodiscard]] unsigned readings() const { return readings_; }
    [[nodiscard]] unsigned in_a_row() const { return in_a_row_; }
    [[nodiscard]] unsigned disagreements() const { return disagreements_; }
    [[nodiscard]] std::optional<Instant> first() const { return first_; }
    [[nodiscard]] Instant last() const { return last_; }

    static constexpr std::size_t max_seen = 8;

  private:
    Need need_;
    std::optional<T> known_;
    std::optional<T> latest_;
    std::vector<T> seen_;
    bool contradicted_ = false;
    unsigned in_a_row_ = 0;
    unsigned readings_ = 0;
    unsigned disagreements_ = 0;
    std::optional<Instant> first_;
    Instant since_{}; ///< when the present row began
    Instant last_{};
};

} // namespace muster::probes
