#include "agent/verdict.h"

#include <algorithm>
#include <array>

namespace muster {
namespace {

using probes::Finding;
using probes::Status;

enum class Recreate { no, yes, without_data };

struct Reason {
    std::string_view code;
    Recreate recreate;
};

constexpr std::array reasons = {
    Reason{"metadata-unavailable", Recreate::yes},
    Reason{"metadata-unstable", Recreate::yes},
    Reason{"ephemeral-missing", Recreate::yes},
    Reason{"ephemeral-stuck", Recreate::yes},
    Reason{"ephemeral-io-error", Recreate::yes},
    Reason{"assembly-failed", Recreate::without_data},
    Reason{"ebs-missing", Recreate::yes},
    Reason{"ebs-stuck", Recreate::yes},
    Reason{"ebs-io-error", Recreate::yes},
    Reason{"root-stuck", Recreate::yes},
    Reason{"root-read-only", Recreate::yes},
    Reason{"root-io-error", Recreate::yes},
    Reason{"deadline-exceeded", Recreate::yes},
    Reason{"cannot-tell", Recreate::without_data},
    Reason{"ephemeral-foreign-data", Recreate::no},
    Reason{"layout-changed", Recreate::no},
    Reason{"ebs-wrong", Recreate::no},
    Reason{"mount-failed", Recreate::no},
    Reason{"tool-missing", Recreate::no},
    Reason{"root-full", Recreate::no},
    Reason{"check-failed", Recreate::no},
    Reason{"config-invalid", Recreate::no},
    Reason{"interrupted", Recreate::no},
    Reason{"internal", Recreate::no},
};

constexpr std::string_view data_at_stake = "ephemeral-foreign-data";

Verdict failed(std::string_view code, std::string message, bool without_data) {
    return {.ready = false,
            .recreate = advises_recreation(code, without_data),
            .code = std::string(code),
            .message = std::move(message)};
}

Verdict of_failures(const std::vector<const Finding*>& failures, bool without_data) {
    const auto recreates = [&](const Finding* finding) {
        return finding->recreate || advises_recreation(finding->code, without_data);
    };
    const auto is_data = [](const Finding* finding) { return finding->code == data_at_stake; };
    // The reason named is the one that the advice rests on; a root that hangs explains the rest.
    const auto is_root = [](const Finding* finding) { return finding->code == "root-stuck"; };
    if (const auto data = std::ranges::find_if(failures, is_data); data != failures.end()) {
        return failed((*data)->code, (*data)->message, without_data);
    }
    auto found = std::ranges::find_if(failures, is_root);
    if (found == failures.end()) found = std::ranges::find_if(failures, recreates);
    const bool recreate = found != failures.end();
    const auto* reason = recreate ? *found : failures.front();
    auto verdict = failed(reason->code, reason->message, without_data);
    verdict.recreate = recreate;
    return verdict;
}

} // namespace

bool is_reason_code(std::string_view code) {
    return std::ranges::find(reasons, code, &Reason::code) != reasons.end();
}

bool advises_recreation(std::string_view code, bool without_data) {
    const auto found = std::ranges::find(reasons, code, &Reason::code);
    if (found == reasons.end()) return false;
    return found->recreate == Recreate::yes ||
           (found->recreate == Recreate::without_data && without_data);
}

Verdict decide(const std::vector<Finding>& findings, Ending ending, bool without_data) {
    const auto failed_for = [&](std::string_view code, std::string message) {
        return failed(code, std::move(message), without_data);
    };
    // Whoever stops us has their reasons, and they are not the machine's.
    if (ending == Ending::interrupted) return failed_for("interrupted", "stopped before the end");

    std::vector<const Finding*> failures;
    std::vector<const Finding*> unknowns;
    for (const auto& finding : findings) {
        if (!finding.gating || finding.status == Status::pass) continue;
        (finding.status == Status::fail ? failures : unknowns).push_back(&finding);
    }
    if (!failures.empty()) return of_failures(failures, without_data);
    if (ending == Ending::deadline) {
        return failed_for("deadline-exceeded", "the boot job was not done within its deadline");
    }
    if (ending == Ending::died) return failed_for("internal", "the boot job died before its end");
    if (!unknowns.empty()) return failed_for("cannot-tell", unknowns.front()->message);
    return {.ready = true, .recreate = false, .code = "", .message = ""};
}

} // namespace muster
