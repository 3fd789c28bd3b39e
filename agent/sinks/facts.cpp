#include "agent/sinks/facts.h"

#include <nlohmann/json.hpp>

namespace muster {
namespace {

using Json = nlohmann::json;
using Act = Judgement::Act;

std::string text_of(const Json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string()
               ? found->get<std::string>()
               : "";
}

bool flag_of(const Json& object, const char* name, bool otherwise) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

/// Why it is about something else than this machine now; "" where it is not.
std::string out_of_place(const Facts& facts, const HereAndNow& here) {
    if (facts.boot_id != here.boot_id) return "it is of another boot";
    if (facts.superseded) return "a later one is known";
    if (!facts.instance_id.empty() && facts.instance_id != here.instance_id)
        return "it is of another instance";
    return "";
}

} // namespace

Facts facts_of(const std::string& body) {
    const auto report = Json::parse(body, nullptr, false);
    if (!report.is_object()) return {};
    const auto instance = report.find("instance");
    const auto reason = report.find("reason");
    return {.outcome = text_of(report, "outcome"),
            .boot_id = text_of(report, "boot_id"),
            .instance_id = instance == report.end() ? "" : text_of(*instance, "id"),
            .reason = reason == report.end() ? "" : text_of(*reason, "code"),
            .time = text_of(report, "time"),
            .recreate = flag_of(report, "recreate", false),
            .enforced = flag_of(report, "enforced", true),
            .superseded = flag_of(report, "superseded", false)};
}

bool is_of_a_boot(const Facts& facts) {
    return facts.outcome == "in-progress" || facts.outcome == "ready" || facts.outcome == "failed";
}

Judgement judge(const Facts& facts, bool fresh, const HereAndNow& here, const Hold& hold) {
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

bool is_current_verdict(const Facts& facts, const HereAndNow& here) {
    return out_of_place(facts, here).empty() &&
           (facts.outcome == "ready" || facts.outcome == "failed");
}

} // namespace muster
