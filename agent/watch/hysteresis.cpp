#include "agent/watch/hysteresis.h"

#include <algorithm>
#include <cstdint>
#include <set>

namespace muster {
namespace {

using probes::Finding;
using probes::Status;

bool is_bad(const Finding& finding) {
    return finding.gating && finding.status != Status::pass;
}

} // namespace

Hysteresis::Change Hysteresis::add(const std::vector<Finding>& look) {
    const bool was_degraded = is_degraded();
    std::set<std::string> checks;
    std::map<Name, const Finding*> seen; // a subject with several findings is as bad as the worst
    for (const auto& finding : look) {
        checks.insert(finding.check);
        auto& worst = seen[{finding.check, finding.subject}];
        if (worst == nullptr || is_bad(finding)) worst = &finding;
    }
    if (restarted_) forget_what_is_gone(seen);

    bool news = false;
    for (const auto& [name, finding] : seen) {
        if (is_bad(*finding)) news |= add_bad(subjects_[name], *finding);
    }
    for (auto& [name, subject] : subjects_) {
        const auto found = seen.find(name);
        const bool good =
            found != seen.end() ? !is_bad(*found->second) : checks.contains(name.first);
        if (good) add_good(subject);
    }
    // Nothing is kept of a subject that is well: the names may be anything, for years.
    std::erase_if(subjects_, [](const auto& entry) {
        return std::ranges::count(entry.second.bad, true) == 0 && !entry.second.degraded;
    });
    if (news) return Change::degraded;
    return was_degraded && !is_degraded() ? Change::recovered : Change::none;
}

void Hysteresis::add_look(Subject& subject, bool bad) const {
    subject.bad.push_back(bad);
    while (subject.bad.size() > rule_.of)
        subject.bad.pop_front();
}

void Hysteresis::add_good(Subject& subject) const {
    add_look(subject, false);
    subject.code_in_a_row = 0;
    if (++subject.good_in_a_row < rule_.bad || !subject.degraded) return;
    subject.degraded = false;
    subject.bad.clear();
}

bool Hysteresis::add_bad(Subject& subject, const Finding& finding) const {
    add_look(subject, true);
    const bool same = subject.code_in_a_row > 0 && subject.latest.code == finding.code;
    subject.code_in_a_row = same ? subject.code_in_a_row + 1 : 1;
    subject.good_in_a_row = 0;
    subject.latest = finding;
    if (!subject.degraded) {
        subject.degraded = std::ranges::count(subject.bad, true) >= std::int64_t{rule_.bad};
        if (subject.degraded) subject.told = finding;
        return subject.degraded;
    }
    const bool changed = finding.code != subject.told.code && subject.code_in_a_row >= rule_.bad;
    // The same thing in newer words: the figures in them have gone on.
    if (changed || finding.code == subject.told.code) subject.told = finding;
    return changed;
}

void Hysteresis::forget_what_is_gone(const std::map<Name, const Finding*>& seen) {
    std::erase_if(subjects_, [&](const auto& entry) { return !seen.contains(entry.first); });
    restarted_ = false;
}

void Hysteresis::restart(HysteresisRule rule) {
    rule_ = rule;
    restarted_ = true;
}

void Hysteresis::assume_bad(const std::vector<Finding>& findings) {
    for (const auto& finding : findings) {
        auto& subject = subjects_[{finding.check, finding.subject}];
        subject.degraded = true;
        subject.latest = subject.told = finding;
    }
}

std::vector<Finding> Hysteresis::bad() const {
    std::vector<Finding> findings;
    for (const auto& [name, subject] : subjects_) {
        if (subject.degraded) findings.push_back(subject.told);
    }
    return findings;
}

bool Hysteresis::is_degraded() const {
    return std::ranges::any_of(subjects_, [](const auto& entry) { return entry.second.degraded; });
}

} // namespace muster
