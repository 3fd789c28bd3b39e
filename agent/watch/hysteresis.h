// When does a machine count as degraded, and when as well again? Pure.
//
// One bad look means nothing: stuck volumes come unstuck (why.md section 4), and a scaler that is
// told of each of them replaces a fleet for nothing.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "probes/finding.h"

namespace muster {

struct HysteresisRule {
    unsigned bad = 3; ///< so many bad looks ...
    unsigned of = 5;  ///< ... of the last so many mean degraded; not less than `bad`
};

/// Follows each subject (a finding's check and subject) from look to look.
///
/// A look at a subject is bad where a gating finding of it does not pass; "cannot tell" is bad,
/// too, and needs the same number of looks. A subject is degraded from `bad` bad looks of its last
/// `of` on, and recovered after `bad` good looks in a row: if falling below `bad` of `of` were
/// enough, the one good look that pushes the oldest bad one out would recover it and the next bad
/// look degrade it again, for ever. Then its past is forgotten, so that it takes `bad` bad looks
/// to be degraded anew whatever `of` is. Its code changes once `bad` looks in a row were bad and
/// said the same other one. So no subject changes more often than once in `bad` looks.
class Hysteresis {
  public:
    explicit Hysteresis(HysteresisRule rule) : rule_(rule) {}

    enum class Change {
        none,
        degraded,  ///< one more subject is bad, or one is bad in another way
        recovered, ///< the last bad subject is well again
    };

    /// One look at the machine, all its findings. A subject that is not among them, while others of
    /// its check are, is well: there was nothing to find (a root volume that answers has no
    /// "space" to complain of). Where nothing of its check is there, it was not looked at.
    [[nodiscard]] Change add(const std::vector<probes::Finding>& look);

    /// From now on by another rule. What the next look says nothing of is no longer looked at, and
    /// not held against the machine.
    void restart(HysteresisRule rule);

    /// Takes up where another process of this boot left off.
    void assume_bad(const std::vector<probes::Finding>& findings);

    /// What is bad now: of each such subject the finding that says how. In the order of check and
    /// subject.
    [[nodiscard]] std::vector<probes::Finding> bad() const;

  private:
    using Name = std::pair<std::string, std::string>; ///< check and subject

    struct Subject {
        std::deque<bool> bad;       ///< the last looks, newest last; `of` at most
        unsigned good_in_a_row = 0; ///< as of the last look
        unsigned code_in_a_row = 0; ///< bad looks that said `latest.code`
        bool degraded = false;
        probes::Finding latest; ///< the last bad one
        probes::Finding told;   ///< the one that it is degraded for
    };

    void add_good(Subject& subject) const;
    /// True where there is something new to tell.
    [[nodiscard]] bool add_bad(Subject& subject, const probes::Finding& finding) const;
    void add_look(Subject& subject, bool bad) const;
    void forget_what_is_gone(const std::map<Name, const probes::Finding*>& seen);
    [[nodiscard]] bool is_degraded() const;

    HysteresisRule rule_;
    std::map<Name, Subject> subjects_; ///< those with a bad look among their last
    bool restarted_ = false;
};

} // namespace muster
