// The owner's checks: which programs are run, and what is made of how they end.
#include "probes/checks.h"
#include "tests/catch.h"
#include "tests/fakes/fake_command.h"
#include "tests/fakes/fake_kernel.h"

using namespace muster;
using namespace std::chrono_literals;
using probes::Check;
using probes::Finding;
using probes::Status;
using Type = FolderEntry::Type;

namespace {

const std::string top = "/etc/muster/checks.d";
const std::string required = top + "/required.d";
const std::string wanted = top + "/wanted.d";

FolderEntry file(std::string name, std::uint32_t mode = 0755, std::uint32_t owner = 0) {
    return {.name = std::move(name), .type = Type::file, .mode = mode, .owner = owner};
}

FolderEntry folder(std::string name, std::uint32_t mode = 0755, std::uint32_t owner = 0) {
    return {.name = std::move(name), .type = Type::folder, .mode = mode, .owner = owner};
}

struct ChecksMachine {
    ChecksMachine() {
        kernel.folders[top].set({{folder("."), folder("required.d"), folder("wanted.d")}});
    }

    void holds(const std::string& path, std::vector<FolderEntry> entries,
               FolderEntry itself = folder(".")) {
        entries.insert(entries.begin(), std::move(itself));
        kernel.folders[path].set(std::move(entries));
    }

    probes::FoundChecks look() { return probes::find_checks(kernel, Deadline::in(clock, 30s)); }

    /// The names of those that are run.
    std::vector<std::string> found() {
        std::vector<std::string> names;
        for (const auto& check : look().checks)
            names.push_back(check.name);
        return names;
    }

    /// The one finding, where nothing is run.
    Finding only_finding() {
        const auto all = look();
        CHECK(all.checks.empty());
        REQUIRE(all.findings.size() == 1);
        CHECK(all.findings[0].check == "check");
        return all.findings[0];
    }

    Finding runs(Result<CommandOutput> answer,
                 Check check = {.name = "nginx-config",
                                .command = {"/usr/sbin/nginx", "-t", "hunter2"}},
                 Duration left = 240s) {
        commands.answer_with([&](const Command&) { return std::optional(answer); });
        auto finding = run_check(commands, clock, check, Deadline::in(clock, left));
        CHECK(finding.check == "check");
        CHECK(finding.subject == check.name);
        CHECK(finding.gating == check.required);
        CHECK(finding.message.find("hunter2") == std::string::npos);
        return finding;
    }

    FakeClock clock;
    FakeKernel kernel{&clock};
    FakeCommands commands{&clock};
};

bool says(const Finding& finding, const std::string& words) {
    INFO(finding.message);
    return finding.message.find(words) != std::string::npos;
}

} // namespace

TEST_CASE("checks: without the folders there is none, and nothing is wrong") {
    ChecksMachine machine;
    CHECK(machine.found().empty()); // neither folder is there by the time it is looked at
    CHECK(machine.look().findings.empty());
    machine.kernel.folders.clear();
    CHECK(machine.found().empty());
    CHECK(machine.look().findings.empty());
}

TEST_CASE("checks: executables by name, required before wanted, leftovers passed over") {
    ChecksMachine machine;
    machine.holds(required, {file(".hidden"), file("10-b"), file("20-a.sh", 0700),
                             file("20-a.sh.dpkg-old"), file("20-a.sh.rpmnew"), file("30-c~")});
    machine.holds(wanted, {file("05-z"), file("a.dpkgx.py")});
    CHECK(machine.found() == std::vector<std::string>{"required.d/10-b", "required.d/20-a.sh",
                                                      "wanted.d/05-z", "wanted.d/a.dpkgx.py"});
    const auto all = machine.look();
    CHECK(all.findings.empty());
    CHECK(all.checks[0].command == std::vector<std::string>{required + "/10-b"});
    CHECK(all.checks[0].required);
    CHECK_FALSE(all.checks[2].required);
    for (const auto& check : all.checks) {
        CHECK(check.deadline == 30s);
        CHECK_FALSE(check.recreate);
    }
}

TEST_CASE("checks: what root is not to run is named, with what to do") {
    const struct {
        FolderEntry entry;
        const char* words;
    } rows[] = {
        {file("x", 0755, 1000), "belongs to user 1000"},
        {file("x", 0775), "chmod go-w"},
        {file("x", 0757), "chmod go-w"},
        {file("x", 0644), "not executable (mode 0644)"},
        {file("x", 0011), "not executable"},
        {folder("x"), "no plain file"},
        {{.name = "x", .type = Type::link, .mode = 0777}, "is a link"},
        {{.name = "x", .type = Type::other, .mode = 0755}, "no plain file"},
    };
    for (const auto& [entry, words] : rows) {
        INFO(words);
        ChecksMachine machine;
        machine.holds(required, {entry});
        const auto finding = machine.only_finding();
        CHECK(finding.subject == "required.d/x");
        CHECK(finding.status == Status::fail);
        CHECK(finding.code == "check-failed");
        CHECK(finding.gating);
        CHECK(says(finding, required + "/x "));
        CHECK(says(finding, words));

        machine.kernel.folders.erase(required);
        machine.holds(wanted, {entry});
        CHECK_FALSE(machine.only_finding().gating);
    }
}

TEST_CASE("checks: a folder that others may write holds nothing for root") {
    for (const auto& itself : {folder(".", 0775), folder(".", 01777), folder(".", 0755, 1000)}) {
        ChecksMachine machine;
        machine.holds(required, {file("10-a")}, itself);
        CHECK(machine.only_finding().subject == "required.d");
        CHECK(machine.only_finding().gating);
        CHECK(says(machine.only_finding(), required));

        machine.holds(required, {file("10-a")});
        machine.holds(wanted, {file("10-a")}, itself);
        CHECK(machine.found() == std::vector<std::string>{"required.d/10-a"});
        REQUIRE(machine.look().findings.size() == 1);
        CHECK_FALSE(machine.look().findings[0].gating);

        machine.holds(wanted, {file("10-a")});
        machine.holds(top, {folder("required.d"), folder("wanted.d")}, itself);
        CHECK(machine.only_finding().subject ==
              "checks.d"); // whoever may write it may replace them
        CHECK(machine.only_finding().gating);
    }
}

TEST_CASE("checks: a folder that can't be looked at is unknown, one that is none is wrong") {
    ChecksMachine machine;
    machine.holds(wanted, {});
    for (const auto& path : {top, required}) {
        machine.kernel.folders[path].set(fail(Errc::io, "I/O error"));
        CHECK(machine.only_finding().code == "cannot-tell");
        CHECK(machine.only_finding().gating);
        machine.kernel.folders[path].set(fail(Errc::stuck, "no answer"));
        CHECK(machine.only_finding().code == "cannot-tell");
        CHECK(machine.clock.elapsed() >= 30s);
        machine.kernel.folders[path].set(fail(Errc::malformed, "it is no folder"));
        CHECK(machine.only_finding().code == "check-failed");
        machine.holds(top, {folder("required.d"), folder("wanted.d")});
    }
    machine.holds(required, {});
    machine.kernel.folders[wanted].set(fail(Errc::io, "I/O error"));
    CHECK_FALSE(machine.only_finding().gating);
}

TEST_CASE("checks: too many are none") {
    ChecksMachine machine;
    std::vector<FolderEntry> many;
    for (int i = 0; i < 64; ++i)
        many.push_back(file(std::to_string(100 + i)));
    many.push_back(file(".hidden"));
    machine.holds(required, many);
    CHECK(machine.found().size() == 64);
    many.push_back(file("200"));
    machine.holds(required, many);
    CHECK(says(machine.only_finding(), "65 programs"));
}

TEST_CASE("checks: exit status 0 passes; what it is given") {
    ChecksMachine machine;
    const auto finding = machine.runs(CommandOutput{.out = "fine", .err = "well"});
    CHECK(finding.status == Status::pass);
    CHECK(finding.code.empty());
    CHECK(finding.evidence["exit_status"] == 0);
    CHECK(finding.evidence["seconds"] == 0.0);
    CHECK_FALSE(finding.evidence.contains("out")); // the report's room is for what failed
    REQUIRE(machine.commands.ran.size() == 1);
    const auto& command = machine.commands.ran[0];
    CHECK(command.argv == std::vector<std::string>{"/usr/sbin/nginx", "-t", "hunter2"});
    CHECK(command.environment ==
          std::vector<std::string>{
              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
    CHECK_FALSE(command.writes_disks);
    CHECK(command.only_its_end);
}

TEST_CASE("checks: any other exit status fails, and is told with its last words") {
    ChecksMachine machine;
    auto finding = machine.runs(
        CommandOutput{.exit_status = 3, .out = "out\n", .err = "first\nno such host \x1b[2J\n\n"});
    CHECK(finding.status == Status::fail);
    CHECK(finding.code == "check-failed");
    CHECK(finding.message == "nginx-config: /usr/sbin/nginx ended with status 3, expected 0; it "
                             "said \"no such host ?[2J\"");
    CHECK(finding.evidence["exit_status"] == 3);
    CHECK(finding.evidence["out"] == "out\n");
    CHECK(finding.evidence["err"] == "first\nno such host \x1b[2J\n\n");
    finding = machine.runs(CommandOutput{.exit_status = 139, .out = "a\nb"});
    CHECK(says(finding, "status 139 (as by signal 11), expected 0; it said \"b\""));
    CHECK_FALSE(finding.evidence.contains("err"));
    CHECK(says(machine.runs(CommandOutput{.exit_status = 128}), "status 128, expected 0"));
    // A file's path names it well enough.
    const Check in_folder{.name = "required.d/x", .command = {required + "/x"}};
    CHECK(machine.runs(CommandOutput{.exit_status = 1}, in_folder).message ==
          required + "/x ended with status 1, expected 0");
}

TEST_CASE("checks: of a long output the end is kept, whole characters of it") {
    ChecksMachine machine;
    std::string text;
    for (int i = 0; i < 2000; ++i)
        text += "\xe2\x82\xac"; // three bytes
    auto kept = machine.runs(CommandOutput{.exit_status = 1, .out = text})
                    .evidence["out"]
                    .get<std::string>();
    CHECK(kept.size() == 2046);
    CHECK(kept.starts_with("\xe2\x82\xac"));
    kept = machine.runs(CommandOutput{.exit_status = 1, .out = text + "xy"})
               .evidence["out"]
               .get<std::string>();
    CHECK(kept.size() == 2048);
    CHECK(kept.ends_with("xy"));
    // No UTF-8 at all: nothing is lost but what the cut may have gone through.
    kept = machine.runs(CommandOutput{.exit_status = 1, .err = std::string(9000, '\x80')})
               .evidence["err"]
               .get<std::string>();
    CHECK(kept.size() == 2045);
}

TEST_CASE("checks: one that has not ended by its deadline fails, and names it") {
    const Check slow{.name = "slow", .command = {"/bin/slow"}, .deadline = 7s};
    ChecksMachine machine;
    auto finding = machine.runs(
        CommandOutput{.exit_status = 143, .err = "resolving ...", .ended_late = true}, slow);
    CHECK(finding.status == Status::fail);
    CHECK(finding.code == "check-failed");
    CHECK(finding.message == "slow: /bin/slow had not ended by its deadline, 7.0 s; it said "
                             "\"resolving ...\"");
    CHECK(finding.evidence["err"] == "resolving ...");
    CHECK(finding.evidence["seconds"] == 7.0);
    CHECK_FALSE(finding.evidence.contains("exit_status")); // it is that of our own signal
    CHECK(machine.clock.elapsed() == 7s);
    finding = machine.runs(fail(Errc::stuck, "it does not end, not even when killed"), slow);
    CHECK(says(finding, "had not ended by its deadline, 7.0 s"));
    CHECK(finding.code == "check-failed");
}

TEST_CASE("checks: the job's deadline comes first, with time to end one that resists") {
    const Check slow{.name = "slow", .command = {"/bin/slow"}, .deadline = 60s};
    ChecksMachine machine;
    const auto stuck = fail(Errc::stuck, "...");
    auto finding = machine.runs(stuck, slow, 20s);
    CHECK(machine.clock.elapsed() == 17s);
    CHECK(finding.code == "check-failed");
    CHECK(says(finding, "had not ended after 17.0 s, when the time for all was up (its own "
                        "deadline is 60.0 s)"));
    // Not begun: nothing is known about it.
    machine.commands.ran.clear();
    finding = machine.runs(stuck, slow, 3s);
    CHECK(finding.status == Status::unknown);
    CHECK(finding.code == "cannot-tell");
    CHECK(machine.commands.ran.empty());
}

TEST_CASE("checks: what can't be run has failed, and its arguments are not told") {
    const struct {
        Errc code;
        const char* words;
    } rows[] = {{Errc::absent, "/usr/sbin/nginx is not there"},
                {Errc::denied, "/usr/sbin/nginx may not be run"},
                {Errc::malformed, "/usr/sbin/nginx is no program"},
                {Errc::too_large, "too many arguments"}};
    for (const auto& [errc, words] : rows) {
        ChecksMachine machine;
        const auto finding = machine.runs(fail(errc, "/usr/sbin/nginx -t hunter2: no"));
        CHECK(finding.code == "check-failed");
        CHECK(says(finding, words));
        CHECK_FALSE(finding.evidence.contains("exit_status"));
    }
    for (const auto errc : {Errc::transient, Errc::io, Errc::internal}) {
        ChecksMachine machine;
        const auto finding = machine.runs(fail(errc, "/usr/sbin/nginx -t hunter2: no"));
        CHECK(finding.status == Status::unknown); // of the machine, not of what is checked
        CHECK(finding.code == "cannot-tell");
        CHECK(says(finding, std::string(to_string(errc))));
    }
}

TEST_CASE("checks: required and recreate are as the owner says, where it failed") {
    ChecksMachine machine;
    for (const bool gating : {true, false}) {
        for (const bool recreate : {true, false}) {
            const Check check{
                .name = "x", .command = {"/bin/x"}, .required = gating, .recreate = recreate};
            CHECK(machine.runs(CommandOutput{.exit_status = 1}, check).recreate == recreate);
            CHECK_FALSE(machine.runs(CommandOutput{}, check).recreate);
            CHECK_FALSE(machine.runs(fail(Errc::io, "?"), check).recreate);
        }
    }
}
