#include "probes/finding.h"

namespace muster::probes {

std::string_view to_string(Status status) {
    switch (status) {
    case Status::pass: return "pass";
    case Status::fail: return "fail";
    case Status::unknown: break;
    }
    return "unknown";
}

Finding pass(std::string check, std::string subject, std::string message) {
    return {.check = std::move(check),
            .subject = std::move(subject),
            .status = Status::pass,
            .code = "",
            .message = std::move(message)};
}

Finding failed(std::string check, std::string subject, std::string code, std::string message) {
    return {.check = std::move(check),
            .subject = std::move(subject),
            .status = Status::fail,
            .code = std::move(code),
            .message = std::move(message)};
}

Finding unknown(std::string check, std::string subject, std::string message) {
    return {.check = std::move(check),
            .subject = std::move(subject),
            .status = Status::unknown,
            .code = "cannot-tell",
            .message = std::move(message)};
}

void to_json(nlohmann::json& json, const Finding& finding) {
    json = {{"check", finding.check},
            {"subject", finding.subject},
            {"status", to_string(finding.status)},
            {"gating", finding.gating},
            {"code", finding.code},
            {"message", finding.message},
            {"evidence", finding.evidence}};
    if (finding.recreate) json["recreate"] = true;
}

void from_json(const nlohmann::json& json, Finding& finding) {
    const auto status = json.at("status").get<std::string>();
    finding = {.check = json.at("check"),
               .subject = json.at("subject"),
               .status = status == "pass"   ? Status::pass
                         : status == "fail" ? Status::fail
                                            : Status::unknown,
               .gating = json.at("gating"),
               .code = json.at("code"),
               .message = json.at("message"),
               .recreate = json.value("recreate", false),
               .evidence = json.at("evidence")};
}

} // namespace muster::probes
