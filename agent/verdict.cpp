#include "agent/verdict.h"

#include <algorithm>
#include <array>

namespace muster {
namespace {

using probes::Finding;
using probes::Status;

struct Reason {
    std::string_view code;
    bool recreate;
};

constexpr std::array reasons = {
    Reason{"metadata-unavailable", true},
    Reason{"metadata-unstable", true},
    Reason{"ephemeral-missing", true},
    Reason{"ephemeral-stuck", true},
    Reason{"ephemeral-io-error", true},
    Reason{"assembly-failed", true},
    Reason{"ebs-missing", true},
    Reason{"ebs-stuck", true},
    Reason{"ebs-io-error", true},
    Reason{"root-stuck", true},
    Reason{"root-read-only", true},
    Reason{"root-io-error", true},
    Reason{"deadline-exceeded", true},
    Reason{"cannot-tell", true},
    Reason{"ephemeral-foreign-data", false},
    Reason{"layout-changed", false},
    Reason{"ebs-wrong", false},
    Reason{"mount-failed", false},
    Reason{"tool-missing", false},
    Reason{"root-full", false},
    Reason{"check-failed", false},
    Reason{"config-invalid", false},
    Reason{"interrupted", false},
    Reason{"internal", false},
};

constexpr std::string_view data_at_stake = "ephemeral-foreign-data";

Verdict failed(std::string_view code, std::string message) {
    return {.ready = false,
            .recreate = advises_recreation(code),
            .code = std::string(code),
            .message = std::move(message)};
}

Verdict of_failures(const std::vector<const Finding*>& failures) {
    const auto recreates = [](const Finding* finding) {
        return finding->recreate || advises_recreation(finding->code);
    };
    const auto is_data = [](const Finding* finding) { return finding->code == data_at_stake; };
    // The reason named is the one that the advice rests on; a root that hangs explains the rest.
    const auto is_root = [](const Finding* finding) { return finding->code == "root-stuck"; };
    if (const auto data = std::ranges::find_if(failures, is_data); data != failures.end()) {
        return failed((*data)->code, (*data)->message);
    }
    auto found = std::ranges::find_if(failures, is_root);
    if (found == failures.end()) found = std::ranges::find_if(failures, recreates);
    const bool recreate = found != failures.end();
    const auto* reason = recreate ? *found : failures.front();
    auto verdict = failed(reason->code, reason->message);
    verdict.recreate = recreate;
    return verdict;
}

} // namespace

bool is_reason_code(std::string_view code) {
    return std::ranges::find(reasons, code, &Reason::code) != reasons.end();
}

bool advises_recreation(std::string_view code) {
    const auto found = std::ranges::find(reasons, code, &Reason::code);
    return found != reasons.end() && found->recreate;
}

Verdict decide(const std::vector<Finding>& findings, Ending ending) {
    // Whoever stops us has their reasons, and they are not the machine's.
    if (ending == Ending::interrupted) return failed("interrupted", "stopped before the end");

    std::vector<const Finding*> failures;
    std::vector<const Finding*> unknowns;
    for (const auto& finding : findings) {
        if (!finding.gating || finding.status == Status::pass) continue;
        (finding.status == Status::fail ? failures : unknowns).push_back(&finding);
    }
    if (!failures.empty()) return of_failures(failures);
    if (ending == Ending::deadline) {
        return failed("deadline-exceeded", "the boot job was not done within its deadline");
    }
    if (ending == Ending::died) return failed("internal", "the boot job died before its end");
    if (!unknowns.empty()) return failed("cannot-tell", unknowns.front()->message);
    return {.ready = true, .recreate = false, .code = "", .message = ""};
}

} // namespace muster
