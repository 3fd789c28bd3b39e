#include "agent/sinks/facts.h"

#include <nlohmann/json.hpp>

#include "agent/sys/fields.h"
#include "agent/sys/json_text.h"

namespace muster {
namespace {

using Json = nlohmann::json;
using Act = Judgement::Act;

/// Why it is about something else than this machine now; "" where it is not.
std::string out_of_place(const Facts& facts, const Here& here) {
    if (facts.boot_id != here.boot_id) return "it is of another boot";
    if (facts.superseded) return "a later one is known";
    const bool known = !facts.instance_id.empty() && !here.instance_id.empty();
    if (known && facts.instance_id != here.instance_id) return "it is of another instance";
    return "";
}

} // namespace

Facts facts_of(const std::string& body) {
    const auto report = parse_json(body);
    return {.outcome = fields::text(report, "outcome"),
            .boot_id = fields::text(report, "boot_id"),
            .instance_id = fields::text(fields::member(report, "instance"), "id"),
            .reason = fields::text(fields::member(report, "reason"), "code"),
            .time = fields::text(report, "time"),
            .recreate = fields::flag(report, "recreate", false),
            .enforced = fields::flag(report, "enforced", true),
            .superseded = fields::flag(report, "superseded", false)};
}

bool is_of_a_boot(const Facts& facts) {
    return facts.outcome == "in-progress" || facts.outcome == "ready" || facts.outcome == "failed";
}

Judgement judge(const Facts& facts, bool fresh, const Here& here, const Hold& hold) {
    if (const auto why = out_of_place(facts, here); !why.empty()) return {Act::nothing, why};
    if (facts.outcome == "in-progress") return {Act::wait, ""};
    if (facts.outcome == "ready") return {Act::approve, ""};
    if (!is_of_a_boot(facts)) return {Act::nothing, "only a boot's verdict acts"};
    if (!facts.enforced) return {Act::approve, "the mode is observe"};
    if (hold.held) return {Act::approve, hold.why};
    if (!facts.recreate) return {Act::nothing, "recreating would not help"};
    if (!fresh) return {Act::nothing, "it comes late, and condemns nobody any more"};
    return {Act::condemn, ""};
}

bool is_current_verdict(const Facts& facts, const Here& here) {
    return out_of_place(facts, here).empty() &&
           (facts.outcome == "ready" || facts.outcome == "failed");
}

} // namespace muster
