#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "agent/verdict.h"
#include "tests/catch.h"

using namespace muster;
using probes::failed;
using probes::Finding;
using probes::pass;
using probes::unknown;

namespace {

/// design.md part A.
const std::map<std::string, bool> table = {
    {"metadata-unavailable", true}, {"metadata-unstable", true},  {"ephemeral-missing", true},
    {"ephemeral-stuck", true},      {"ephemeral-io-error", true}, {"assembly-failed", true},
    {"ebs-missing", true},          {"ebs-stuck", true},          {"ebs-io-error", true},
    {"root-stuck", true},           {"root-read-only", true},     {"root-io-error", true},
    {"deadline-exceeded", true},    {"cannot-tell", true},        {"ephemeral-foreign-data", false},
    {"ebs-wrong", false},           {"mount-failed", false},      {"tool-missing", false},
    {"root-full", false},           {"check-failed", false},      {"config-invalid", false},
    {"interrupted", false},         {"internal", false},          {"layout-changed", false},
};

const Finding good = pass("root", "mount", "well");

Finding bad(const std::string& code) {
    return failed("check", "subject", code, "message of " + code);
}

/// "code" or "code!" where it advises recreation, "ready".
std::string decided(const std::vector<Finding>& findings, Ending ending = Ending::finished,
                    bool without_data = true) {
    const auto verdict = decide(findings, ending, without_data);
    if (verdict.ready) {
        CHECK(verdict.code.empty());
        CHECK_FALSE(verdict.recreate);
        return "ready";
    }
    CHECK_FALSE(verdict.code.empty());
    CHECK_FALSE(verdict.message.empty());
    return verdict.code + (verdict.recreate ? "!" : "");
}

} // namespace

TEST_CASE("verdict: each reason code, alone, and its advice") {
    for (const auto& [code, recreate] : table) {
        INFO(code);
        CHECK(is_reason_code(code));
        CHECK(advises_recreation(code, true) == recreate);
        const auto verdict = decide({good, bad(code), good}, Ending::finished, true);
        CHECK_FALSE(verdict.ready);
        CHECK(verdict.code == code);
        CHECK(verdict.message == "message of " + code);
        CHECK(verdict.recreate == recreate);
    }
    for (const char* code : {"", "config-unknown-key", "ebs", "ebs-missing ", "EBS-MISSING"}) {
        CHECK_FALSE(is_reason_code(code));
        CHECK_FALSE(advises_recreation(code, true)); // a mistake of ours condemns nobody
    }
}

TEST_CASE(
    "verdict: nothing is said of the disks by two of the reasons, so those ask what is proved") {
    const auto depends = [](const std::string& code) {
        return code == "assembly-failed" || code == "cannot-tell";
    };
    const auto kept = [](const std::vector<Finding>& findings) {
        return decided(findings, Ending::finished, false);
    };
    for (const auto& [code, recreate] : table) {
        INFO(code);
        CHECK(advises_recreation(code, false) == (recreate && !depends(code)));
        CHECK(kept({bad(code)}) == code + (recreate && !depends(code) ? "!" : ""));
    }
    CHECK(kept({unknown("root", "mount", "?")}) == "cannot-tell");
    // What else is the matter is as it was, and is named where the advice rests on it.
    CHECK(kept({bad("assembly-failed"), bad("ebs-missing")}) == "ebs-missing!");
    CHECK(kept({bad("assembly-failed"), bad("root-full")}) == "assembly-failed");
    CHECK(kept({unknown("ephemeral", "disks", "?"), bad("root-full")}) == "root-full");
    auto own = bad("check-failed");
    own.recreate = true;
    CHECK(kept({bad("assembly-failed"), own}) == "check-failed!");
    CHECK(decided({}, Ending::deadline, false) == "deadline-exceeded!");
    CHECK(decided({bad("assembly-failed")}, Ending::deadline, false) == "assembly-failed");
    CHECK(decided({}, Ending::finished, false) == "ready");
}

TEST_CASE("verdict: ready is what is left when nothing speaks against it") {
    CHECK(decided({}) == "ready");
    CHECK(decided({good, good}) == "ready");
    auto hint = bad("ebs-stuck");
    hint.gating = false;
    auto doubt = unknown("root", "psi", "?");
    doubt.gating = false;
    CHECK(decided({good, hint, doubt}) == "ready");
    CHECK(decided({good, unknown("root", "mount", "?")}) == "cannot-tell!");
}

TEST_CASE("verdict: fail beats unknown, data at stake beats every advice to recreate") {
    const auto doubt = unknown("ebs", "data", "?");
    CHECK(decided({doubt, bad("root-full")}) == "root-full");
    CHECK(decided({doubt, bad("ebs-missing")}) == "ebs-missing!");
    CHECK(decided({bad("root-full"), bad("ebs-missing")}) == "ebs-missing!");
    CHECK(decided({bad("ebs-missing"), bad("root-io-error")}) == "ebs-missing!");
    // A root that hangs explains what else hangs.
    CHECK(decided({bad("ebs-stuck"), bad("root-stuck")}) == "root-stuck!");
    CHECK(decided({bad("root-stuck"), bad("ephemeral-foreign-data")}) == "ephemeral-foreign-data");
    for (const auto& [code, recreate] : table) {
        INFO(code);
        CHECK(decided({bad(code), bad("ephemeral-foreign-data")}) == "ephemeral-foreign-data");
        CHECK(decided({bad("ephemeral-foreign-data"), bad(code)}) == "ephemeral-foreign-data");
    }
    CHECK(decided({bad("root-full"), bad("tool-missing")}) == "root-full"); // the first
}

TEST_CASE("verdict: a check's own advice, and the reason that it rests on") {
    auto own = bad("check-failed");
    own.recreate = true;
    own.message = "the owner says so";
    CHECK(decided({own}) == "check-failed!");
    CHECK(decided({bad("check-failed"), own, bad("root-full")}) == "check-failed!");
    CHECK(decide({bad("check-failed"), own}, Ending::finished, true).message == own.message);
    CHECK(decided({bad("root-full"), own}) == "check-failed!");
    CHECK(decided({own, bad("ebs-missing")}) == "check-failed!"); // the first that advises it
    CHECK(decided({bad("ebs-missing"), own}) == "ebs-missing!");
    CHECK(decided({own, bad("ephemeral-foreign-data")}) == "ephemeral-foreign-data");
    CHECK(decided({own}, Ending::deadline) == "check-failed!");
    CHECK(decided({own}, Ending::interrupted) == "interrupted");
    auto data = bad("ephemeral-foreign-data");
    data.recreate = true; // a mistake of ours
    CHECK(decided({data}) == "ephemeral-foreign-data");
    own.gating = false;
    CHECK(decided({own}) == "ready");
    CHECK(decided({own, bad("root-full")}) == "root-full");
}

TEST_CASE("verdict: how the job ended counts where no finding says more") {
    CHECK(decided({}, Ending::deadline) == "deadline-exceeded!");
    CHECK(decided({good}, Ending::deadline) == "deadline-exceeded!");
    CHECK(decided({unknown("a", "b", "?")}, Ending::deadline) == "deadline-exceeded!");
    CHECK(decided({bad("root-full")}, Ending::deadline) == "root-full");
    CHECK(decided({bad("ephemeral-foreign-data")}, Ending::deadline) == "ephemeral-foreign-data");
    CHECK(decided({}, Ending::died) == "internal");
    CHECK(decided({good, unknown("a", "b", "?")}, Ending::died) == "internal");
    CHECK(decided({bad("ebs-io-error")}, Ending::died) == "ebs-io-error!");
}

TEST_CASE("verdict: one who was told to stop condemns nobody, whatever was found") {
    CHECK(decided({}, Ending::interrupted) == "interrupted");
    for (const auto& [code, recreate] : table) {
        INFO(code);
        CHECK(decided({bad(code)}, Ending::interrupted) == "interrupted");
    }
}

TEST_CASE("verdict: every code in the sources is one of the interface's") {
    const std::regex word("\"([a-z]+(-[a-z0-9]+)+)\"");
    const std::set<std::string> subjects = {"metadata", "ephemeral", "ebs",      "root",
                                            "deadline", "config",    "assembly", "mount",
                                            "tool",     "check",     "layout"};
    std::set<std::string> used;
    for (const char* folder : {"agent", "probes", "lvm"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(
                 std::filesystem::path(MUSTER_SOURCE_DIR) / folder)) {
            if (entry.path().extension() != ".cpp" || entry.path().filename() == "verdict.cpp" ||
                entry.path().filename().string().starts_with("config_")) {
                continue;
            }
            std::ifstream file(entry.path());
            const std::string text{std::istreambuf_iterator<char>(file), {}};
            // What is handed to these is a code.
            const std::regex call("(failed|wrong|Failure|refuse|disk_failure|unknown)"
                                  "[({][^;]*;");
            for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) {
                const std::string statement = at->str();
                for (std::sregex_iterator code(statement.begin(), statement.end(), word);
                     code != end; ++code) {
                    const std::string name = (*code)[1];
                    if (!subjects.contains(name.substr(0, name.find('-')))) continue;
                    if (name == "block-device-mapping" || name == "config-unknown-key") continue;
                    INFO(entry.path() << ": " << name);
                    CHECK(is_reason_code(name));
                    used.insert(name);
                }
            }
        }
    }
    // The search itself finds what it should.
    for (const char* code :
         {"ebs-missing", "ebs-wrong", "ephemeral-stuck", "root-full", "config-invalid",
          "tool-missing", "assembly-failed", "layout-changed"}) {
        INFO(code);
        CHECK(used.contains(code));
    }
}
