// The boot job: the owner's checks.
#include "tests/agent/boot_machine.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

/// A machine with the owner's programs: what each answers, and how long that takes.
struct CheckedMachine : BootMachine {
    struct Program {
        Result<CommandOutput> answer;
        Duration takes{};
    };

    CheckedMachine() {
        commands.answer_with([this](const Command& command) {
            const auto& program = programs.at(command.argv.front());
            clock.advance(program.takes);
            return std::optional(program.answer);
        });
    }

    CheckConfig& check(const std::string& name, Result<CommandOutput> answer, Duration takes = 0s) {
        programs.insert_or_assign("/bin/" + name, Program{std::move(answer), takes});
        config.checks.push_back({.name = name, .command = {"/bin/" + name}});
        return config.checks.back();
    }

    /// Programs in one folder of checks.d, which all pass.
    void folder(const std::string& name, const std::vector<std::string>& files) {
        using Type = FolderEntry::Type;
        const auto entry = [](const std::string& called, Type type) {
            return FolderEntry{.name = called, .type = type, .mode = 0755};
        };
        const std::string top = "/etc/muster/checks.d";
        std::vector<FolderEntry> entries{entry(".", Type::folder)};
        for (const auto& file : files) {
            entries.push_back(entry(file, Type::file));
            programs.insert_or_assign(top + "/" + name + "/" + file, Program{CommandOutput{}});
        }
        kernel.folders[top + "/" + name].set(entries);
        kernel.folders[top].set({{entry(".", Type::folder), entry("required.d", Type::folder),
                                  entry("wanted.d", Type::folder)}});
    }

    /// Subjects of the checks' findings, in the order in which they were told.
    [[nodiscard]] std::vector<std::string> checked() const {
        std::vector<std::string> subjects;
        for (const auto& finding : record.findings) {
            if (finding.check == "check") subjects.push_back(finding.subject);
        }
        return subjects;
    }

    std::map<std::string, Program> programs;
};

const CommandOutput bad_end{.exit_status = 1};

} // namespace

TEST_CASE("boot: the owner's checks are run last, side by side") {
    CheckedMachine machine;
    machine.check("a", CommandOutput{}, 10s);
    machine.check("b", CommandOutput{}, 12s);
    machine.folder("required.d", {"10-x"});
    machine.folder("wanted.d", {"10-x"});
    CHECK(told(machine.boots()) == "ready");
    CHECK(machine.clock.elapsed() >= 12s);
    CHECK(machine.clock.elapsed() < 14s); // as long as the longest, and not all together
    CHECK(machine.checked() ==
          std::vector<std::string>{"a", "b", "required.d/10-x", "wanted.d/10-x"});
    const auto& stages = machine.record.timings;
    const auto first = std::ranges::find(stages, "check a", &Stage::name);
    REQUIRE(first != stages.end());
    for (const auto& stage : stages) {
        if (!stage.name.starts_with("check ")) CHECK(*stage.end <= first->start);
    }
    CHECK(std::ranges::count_if(
              stages, [](const Stage& stage) { return stage.name.starts_with("check "); }) == 4);
}

TEST_CASE("boot: a check that fails, and what the owner says that it means") {
    CheckedMachine machine;
    machine.check("good", CommandOutput{});
    SECTION("required") {
        machine.check("bad", bad_end);
        const auto verdict = machine.boots();
        CHECK(told(verdict) == "check-failed");
        CHECK(verdict.message.starts_with("bad: /bin/bad ended with status 1"));
    }
    SECTION("required, and reason enough for a new machine") {
        machine.check("bad", bad_end);
        machine.check("worse", bad_end).recreate = true;
        const auto verdict = machine.boots();
        CHECK(told(verdict) == "check-failed!");
        CHECK(verdict.message.starts_with("worse: ")); // the one that the advice rests on
    }
    SECTION("not required") {
        auto& check = machine.check("bad", bad_end);
        check.required = false;
        check.recreate = true;
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.record.findings.back().code == "check-failed");
        CHECK_FALSE(machine.record.findings.back().gating);
    }
    SECTION("missing") {
        machine.check("bad", fail(Errc::absent, "no such file"));
        CHECK(told(machine.boots()) == "check-failed");
    }
    SECTION("hanging") {
        machine.check("bad", fail(Errc::stuck, "...")).deadline = 40s;
        CHECK(told(machine.boots()) == "check-failed");
        CHECK(machine.clock.elapsed() >= 40s);
        CHECK(machine.clock.elapsed() < 42s);
    }
    SECTION("hanging for longer than the job has time: its advice counts, not the job's") {
        machine.check("bad", fail(Errc::stuck, "...")).deadline = 1h;
        CHECK(told(machine.boots(60s)) == "check-failed");
        CHECK(machine.clock.elapsed() <= 57s);
    }
    SECTION("a file in required.d that root is not to run") {
        machine.folder("required.d", {"10-x"});
        auto entries = machine.kernel.folders["/etc/muster/checks.d/required.d"].next().value();
        entries.back().owner = 1000;
        machine.kernel.folders["/etc/muster/checks.d/required.d"].set(entries);
        CHECK(told(machine.boots()) == "check-failed");
        CHECK(machine.checked() == std::vector<std::string>{"required.d/10-x", "good"});
    }
}

TEST_CASE("boot: checks are not run where something failed before, and that is noted") {
    CheckedMachine machine;
    const auto note = [&] { return machine.record.findings.back(); };
    SECTION("a volume") {
        machine.check("bad", bad_end).recreate = true;
        machine.config.ebs = {{.name = "data", .device = "/dev/sdf", .deadline = 5s}};
        CHECK(told(machine.boots()) == "ebs-missing!");
        CHECK(note().message == "not run, since not all was well: ebs data (ebs-missing)");
    }
    SECTION("somebody's data: no check's advice counts against it") {
        machine.check("bad", bad_end).recreate = true;
        machine.ephemeral("nvme1n1", "ext4");
        CHECK(told(machine.boots()) == "ephemeral-foreign-data");
    }
    SECTION("the metadata") {
        machine.folder("required.d", {"10-x"});
        machine.metadata.rule = [](const std::string&) { return fail(Errc::refused, "x"); };
        CHECK(told(machine.boots(20s)) == "metadata-unavailable!");
    }
    SECTION("the root, on which the checks are: nobody waits for it once more") {
        machine.kernel.folders["/etc/muster/checks.d"].set(fail(Errc::stuck, "no answer"));
        machine.kernel.spaces["/"].set(fail(Errc::stuck, "no answer"));
        CHECK(told(machine.boots()) == "root-stuck!");
        CHECK(machine.clock.elapsed() <= 32s);
    }
    CHECK(machine.commands.ran.empty());
    CHECK(machine.checked() == std::vector<std::string>{"all checks"});
    CHECK(note().status == probes::Status::unknown);
    CHECK_FALSE(note().gating);
}

TEST_CASE("boot: where there is no check, none is said to be missing") {
    CheckedMachine machine;
    machine.config.ebs = {{.name = "data", .device = "/dev/sdf", .deadline = 5s}};
    CHECK(told(machine.boots()) == "ebs-missing!");
    CHECK(machine.checked().empty());
}

TEST_CASE("boot: observe runs the checks: they only look") {
    CheckedMachine machine;
    machine.ephemeral("nvme1n1");
    machine.config.mode = Mode::observe;
    machine.check("bad", bad_end);
    CHECK(told(machine.boots()) == "check-failed");
    REQUIRE(machine.commands.ran.size() == 1);
    CHECK_FALSE(machine.commands.ran[0].writes_disks);
    CHECK(machine.kernel.was_mounted.empty());
}
