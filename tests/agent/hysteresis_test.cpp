#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "agent/watch/hysteresis.h"
#include "tests/catch.h"
#include "tests/seeds.h"

using namespace muster;
using Change = Hysteresis::Change;
using Look = std::vector<probes::Finding>;

namespace {

probes::Finding well(const std::string& subject = "data") {
    return probes::pass("ebs", subject, "answers");
}
probes::Finding stuck(const std::string& subject = "data") {
    return probes::failed("ebs", subject, "ebs-stuck", "no answer");
}
probes::Finding broken(const std::string& subject = "data") {
    return probes::failed("ebs", subject, "ebs-io-error", "error");
}

/// A letter a look at one volume: '.' well, 's' stuck, 'i' I/O error, '?' can't be told, '-' it is
/// not there, ' ' nothing of its check is. Gives a letter a change: D, R, or '.' for none.
std::string play(Hysteresis& watch, const std::string& looks) {
    std::string changes;
    for (const char letter : looks) {
        Look look = {probes::pass("root", "mount", "well")};
        if (letter != ' ') look.push_back(well("other"));
        if (letter == '.') look.push_back(well());
        if (letter == 's') look.push_back(stuck());
        if (letter == 'i') look.push_back(broken());
        if (letter == '?') look.push_back(probes::unknown("ebs", "data", "who knows"));
        const auto change = watch.add(look);
        changes += change == Change::degraded ? 'D' : change == Change::recovered ? 'R' : '.';
    }
    return changes;
}

} // namespace

TEST_CASE("hysteresis: what a volume does, and what is told of it") {
    struct Row {
        HysteresisRule rule;
        const char* looks;
        const char* changes;
    };
    for (const auto& [rule, looks, changes] : {
             Row{{3, 5}, "....................", "...................."},
             Row{{3, 5}, "ss....ss....ss", ".............."},
             Row{{3, 5}, "sss", "..D"},
             Row{{3, 5}, "s.s.s", "....D"},
             Row{{3, 5}, "s..s.s..s..s", "............"},
             Row{{3, 5}, "s...s...s...", "............"},
             Row{{3, 5}, "ssssssss", "..D....."},
             Row{{3, 5}, "sss..s..s..s...", "..D...........R"},
             Row{{3, 5}, "sss...", "..D..R"},
             Row{{3, 5}, "sss...ss.", "..D..R..."}, // what was before is forgotten
             Row{{3, 5}, "sss...s.ss", "..D..R...D"},
             Row{{3, 10}, "sss...s.........", "..D..R.........."},
             Row{{3, 5}, "???", "..D"}, // cannot tell is bad, and as slow
             Row{{3, 5}, "s?i", "..D"},
             Row{{3, 5}, "sssi.i.i.ii", "..D........"}, // not three in a row in the new way
             Row{{3, 5}, "sssiii", "..D..D"},
             Row{{3, 5}, "sssiiisss...", "..D..D..D..R"},
             Row{{3, 5}, "sisisisisisi", "..D........."}, // no report for each
             Row{{3, 5}, "sss---", "..D..R"},             // its check has nothing to say of it
             Row{{3, 5}, "sss   ...", "..D.....R"},       // not looked at
             Row{{3, 5}, "ss    s", "......D"},
             Row{{1, 1}, ".s.s.i", ".DRDRD"},
             Row{{2, 2}, "s.s.ss..", ".....D.R"},
             Row{{5, 5}, "ssss.sssss....s.....", ".........D.........R"},
         }) {
        INFO(rule.bad << " of " << rule.of << ": " << looks);
        Hysteresis watch(rule);
        CHECK(play(watch, looks) == changes);
    }
}

TEST_CASE("hysteresis: what is bad, and how") {
    Hysteresis watch({});
    CHECK(play(watch, "ss") == "..");
    CHECK(watch.bad().empty());
    CHECK(play(watch, "s") == "D");
    REQUIRE(watch.bad().size() == 1);
    CHECK(watch.bad()[0].code == "ebs-stuck");
    CHECK(play(watch, "ii") == "..");
    CHECK(watch.bad()[0].code == "ebs-stuck"); // what was told
    CHECK(play(watch, "i") == "D");
    CHECK(watch.bad()[0].code == "ebs-io-error");
    CHECK(play(watch, "...") == "..R");
    CHECK(watch.bad().empty());
}

TEST_CASE("hysteresis: it is recovered when the last of several is well, and grows with each") {
    Hysteresis watch({2, 3});
    CHECK(watch.add({stuck("a"), well("b")}) == Change::none);
    CHECK(watch.add({stuck("a"), stuck("b")}) == Change::degraded);
    CHECK(watch.add({stuck("a"), stuck("b")}) == Change::degraded);
    CHECK(watch.bad().size() == 2);
    CHECK(watch.add({well("a"), stuck("b")}) == Change::none);
    CHECK(watch.add({well("a"), stuck("b")}) == Change::none);
    CHECK(watch.bad().size() == 1);
    CHECK(watch.add({stuck("a"), well("b")}) == Change::none);
    CHECK(watch.add({well("a"), well("b")}) == Change::recovered);
}

TEST_CASE("hysteresis: what does not gate is not held against the machine") {
    auto finding = stuck();
    finding.gating = false;
    Hysteresis watch({1, 1});
    CHECK(watch.add({finding}) == Change::none);
    CHECK(watch.add({finding, stuck()}) == Change::degraded); // as bad as its worst finding
    CHECK(watch.add({stuck(), finding}) == Change::none);
}

TEST_CASE("hysteresis: another configuration may look at other things") {
    Hysteresis watch({2, 2});
    CHECK(play(watch, "ss") == ".D");
    watch.restart({3, 5});
    CHECK(watch.add({probes::pass("root", "mount", "well")}) == Change::recovered);
    CHECK(watch.bad().empty());
    CHECK(play(watch, "sss") == "..D");
    watch.restart({2, 2});
    CHECK(play(watch, "s..") == "..R"); // still looked at: nothing is lost
    watch.restart({2, 2});
    CHECK(watch.add({}) == Change::none);
}

TEST_CASE("hysteresis: a new process takes up where the last one left off") {
    Hysteresis watch({});
    watch.assume_bad({stuck()});
    REQUIRE(watch.bad().size() == 1);
    CHECK(watch.bad()[0].code == "ebs-stuck");
    CHECK(play(watch, "ss...") == "....R");
    watch.assume_bad({stuck()});
    CHECK(play(watch, "...") == "..R");
}

namespace {

/// What the rule says, told in another way: from all looks since a subject's last recovery.
struct Slow {
    HysteresisRule rule;
    std::string looks; // 'g', or the code's letter
    bool degraded = false;
    char told = 0;
    bool news = false;

    void add(char look) {
        looks += look;
        news = false;
        const auto last = [&](std::size_t n) {
            return looks.substr(looks.size() - std::min(n, looks.size()));
        };
        const auto recent = last(rule.of);
        const auto bad = recent.size() - static_cast<std::size_t>(std::ranges::count(recent, 'g'));
        if (!degraded && bad >= rule.bad) {
            degraded = news = true;
            told = look;
        } else if (degraded && look != 'g' && look != told &&
                   last(rule.bad) == std::string(rule.bad, look)) {
            news = true;
            told = look;
        } else if (degraded && last(rule.bad) == std::string(rule.bad, 'g')) {
            degraded = false;
            looks.clear();
        }
    }
};

} // namespace

TEST_CASE("hysteresis: random machines, told as the rule says and never more often") {
    const auto [first, count] = testing::seeds(300, 10'000);
    for (auto seed = first; seed < first + count; ++seed) {
        INFO("MUSTER_SEED=" << seed);
        std::mt19937_64 random(seed);
        const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        HysteresisRule rule{1 + below(5), 0};
        rule.of = rule.bad + below(8);
        Hysteresis watch(rule);
        std::map<std::string, Slow> slow;
        for (const char* name : {"a", "b", "c"})
            slow.emplace(name, Slow{rule, "", false, 0, false});
        const unsigned faulty = below(100);
        const unsigned looks = 200;
        unsigned degraded = 0;
        unsigned recovered = 0;
        bool was_degraded = false;
        for (unsigned i = 0; i < looks; ++i) {
            Look look;
            for (auto& [name, subject] : slow) {
                const char letter = below(100) >= faulty ? 'g' : below(3) == 0 ? 'i' : 's';
                subject.add(letter);
                look.push_back(letter == 'g'   ? well(name)
                               : letter == 's' ? stuck(name)
                                               : broken(name));
            }
            const auto change = watch.add(look);
            const auto is = [](bool Slow::* what) {
                return [what](const auto& entry) { return entry.second.*what; };
            };
            const bool news = std::ranges::any_of(slow, is(&Slow::news));
            const bool now = std::ranges::any_of(slow, is(&Slow::degraded));
            REQUIRE((change == Change::degraded) == news);
            REQUIRE((change == Change::recovered) == (was_degraded && !now && !news));
            std::set<std::string> bad;
            for (const auto& finding : watch.bad()) {
                bad.insert(finding.subject);
                REQUIRE(finding.code ==
                        (slow.at(finding.subject).told == 's' ? "ebs-stuck" : "ebs-io-error"));
            }
            for (const auto& [name, subject] : slow)
                REQUIRE(bad.contains(name) == subject.degraded);
            was_degraded = now;
            degraded += change == Change::degraded;
            recovered += change == Change::recovered;
        }
        REQUIRE(degraded <= slow.size() * looks / rule.bad);
        REQUIRE(recovered <= looks / rule.bad);
        REQUIRE(recovered <= degraded);
    }
}
