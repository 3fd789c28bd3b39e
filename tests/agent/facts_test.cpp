#include "agent/sinks/facts.h"
#include "tests/catch.h"

using namespace muster;

namespace {

const Here here{.boot_id = "b", .instance_id = "i-1"};

Facts failed() {
    return {.outcome = "failed", .boot_id = "b", .instance_id = "i-1", .recreate = true};
}

} // namespace

TEST_CASE("facts: of a report") {
    const auto facts =
        facts_of(R"({"outcome": "failed", "boot_id": "b", "recreate": true, "enforced":
        false, "superseded": true, "instance": {"id": "i-1"}, "reason": {"code": "ebs-missing"},
        "time": "2026-11-21T20:00:00.000Z"})");
    CHECK(facts.outcome == "failed");
    CHECK(facts.boot_id == "b");
    CHECK(facts.instance_id == "i-1");
    CHECK(facts.reason == "ebs-missing");
    CHECK(facts.time == "2026-11-21T20:00:00.000Z");
    CHECK((facts.recreate && !facts.enforced && facts.superseded));
    for (const char* text : {"", "{", "[]", "{}", R"({"outcome": 3, "instance": "x", "reason": [],
                              "recreate": "yes", "boot_id": null})"}) {
        const auto none = facts_of(text);
        CHECK(none.outcome.empty());
        CHECK_FALSE(none.recreate);
        CHECK(judge(none, true, here, {}).act == Judgement::Act::nothing);
    }
}

TEST_CASE("facts: what acts, and what condemns") {
    using Act = Judgement::Act;
    CHECK(judge(failed(), true, here, {}).act == Act::condemn);
    struct Row {
        const char* name;
        void (*change)(Facts&);
        Act act;
    };
    for (const auto& [name, change, act] : {
             Row{"in progress", [](Facts& f) { f.outcome = "in-progress"; }, Act::wait},
             Row{"ready", [](Facts& f) { f.outcome = "ready"; }, Act::approve},
             Row{"degraded", [](Facts& f) { f.outcome = "degraded"; }, Act::nothing},
             Row{"recovered", [](Facts& f) { f.outcome = "recovered"; }, Act::nothing},
             Row{"notice", [](Facts& f) { f.outcome = "notice"; }, Act::nothing},
             Row{"stopping", [](Facts& f) { f.outcome = "stopping"; }, Act::nothing},
             Row{"test", [](Facts& f) { f.outcome = "test"; }, Act::nothing},
             Row{"observe", [](Facts& f) { f.enforced = false; }, Act::approve},
             Row{"not to be recreated", [](Facts& f) { f.recreate = false; }, Act::nothing},
             Row{"superseded", [](Facts& f) { f.superseded = true; }, Act::nothing},
             Row{"another boot", [](Facts& f) { f.boot_id = "c"; }, Act::nothing},
             Row{"another instance", [](Facts& f) { f.instance_id = "i-2"; }, Act::nothing},
             Row{"no name of its own", [](Facts& f) { f.instance_id = ""; }, Act::condemn},
         }) {
        INFO(name);
        auto facts = failed();
        change(facts);
        CHECK(judge(facts, true, here, {}).act == act);
        CHECK(judge(facts, false, here, {}).act == (act == Act::condemn ? Act::nothing : act));
        // Held: nobody is condemned, nothing else changes.
        const Hold hold{true, "held by the file /run/muster/hold"};
        const auto held = judge(facts, true, here, hold).act;
        CHECK(held != Act::condemn);
        if (facts.outcome != "failed" || act == Act::nothing) {
            const bool spared = std::string(name) == "not to be recreated";
            CHECK(held == (spared ? Act::approve : act));
        }
    }
}

TEST_CASE("facts: which verdicts are current") {
    auto facts = failed();
    CHECK(is_current_verdict(facts, here));
    facts.superseded = true;
    CHECK_FALSE(is_current_verdict(facts, here));
    facts = failed();
    facts.outcome = "degraded";
    CHECK_FALSE(is_current_verdict(facts, here));
}
