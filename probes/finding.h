// What a check found. Three answers, never two: "cannot tell" is not "no".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace muster::probes {

enum class Status { pass, fail, unknown };

[[nodiscard]] std::string_view to_string(Status status);

struct Finding {
    std::string check;   ///< "metadata", "ephemeral", "ebs", "root", "check", "config", "agent"
    std::string subject; ///< what was looked at: "identity", "nvme1n1", "/"
    Status status = Status::unknown;
    bool gating = true;    ///< fail or unknown here keeps the machine from being `ready`
    std::string code;      ///< the reason code (design.md part A) where not pass; else empty
    std::string message;   ///< what was found, what was expected, what to do
    bool recreate = false; ///< it advises a new instance though its code alone does not: the
                           ///< owner's check says so itself
    nlohmann::json evidence = nlohmann::json::object();
};

[[nodiscard]] Finding pass(std::string check, std::string subject, std::string message);
[[nodiscard]] Finding failed(std::string check, std::string subject, std::string code,
                             std::string message);
/// Gating and without an answer: makes the verdict `failed / cannot-tell` unless something worse is
/// known.
[[nodiscard]] Finding unknown(std::string check, std::string subject, std::string message);

void to_json(nlohmann::json& json, const Finding& finding);
void from_json(const nlohmann::json& json, Finding& finding);

} // namespace muster::probes
