// The boot job from end to end with fakes of the four interfaces: what it finds, what it asks of
// the machine, what the verdict is.
#include <algorithm>

#include "agent/boot.h"
#include "agent/sys/lock.h"
#include "agent/verdict.h"
#include "tests/catch.h"
#include "tests/fakes/fake_command.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_metadata.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace std::chrono_literals;
using probes::FakeMetadata;

namespace {

constexpr const char* instance_storage = "Amazon EC2 NVMe Instance Storage";
constexpr std::uint64_t GiB = std::uint64_t{1} << 30;

struct Machine {
    Machine() {
        sysfs.mount({259, 1}, "/");
        sysfs.folder("/run/muster");
        for (const char* node :
             {"/dev/sda1", "/dev/xvda1", "/dev/sdb", "/dev/xvdb", "/dev/sdf", "/dev/xvdf"}) {
            kernel.devices[node].set(fail(Errc::absent, node));
        }
        kernel.spaces["/"].set(Space{100, 50, 100, 50});
        metadata.tree[probes::mapping_path] = "ami\nroot";
        config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::any};
        config.metadata.endpoint = "http://imds"; // FakeMetadata's
        config.ebs.emplace();
        config.ephemeral.layout.volumes = {{.name = "scratch", .mount = "/mnt/scratch"}};
    }

    /// A blank NVMe disk of instance storage, or with something on it.
    void ephemeral(const std::string& name, const std::string& signature = "") {
        const unsigned number = ++disks_;
        sysfs.disk({.name = name,
                    .number = {259, 10 * number},
                    .size = 100 * GiB,
                    .model = instance_storage,
                    .serial = "AWS" + std::to_string(number)});
        kernel.devices["/dev/" + name].set(DeviceNumber{259, 10 * number});
        DiskContent content{.zeroed = signature.empty()};
        if (!signature.empty()) content.signatures = {{.type = signature}};
        kernel.contents["/dev/" + name].set(content);
        kernel.claims["/dev/" + name].set(false);
    }

    Verdict boots(Duration deadline = 240s) {
        Progress progress(clock, clock.now(), [this](const nlohmann::json& event) {
            record.add(nlohmann::json::parse(event.dump()));
        });
        const World world{sysfs.files(), clock,         kernel,
                          commands,      metadata.http, "/run/muster/disks.lock"};
        boot(world, config, progress, Deadline::in(clock, deadline));
        CHECK(record.finished);
        for (const auto& finding : record.findings) {
            INFO(finding.code << ": " << finding.message);
            CHECK(finding.code.empty() == (finding.status == probes::Status::pass));
            CHECK((finding.code.empty() || is_reason_code(finding.code) ||
                   finding.code == "config-unknown-key"));
            CHECK_FALSE(finding.check.empty());
            CHECK_FALSE(finding.subject.empty());
            CHECK_FALSE(finding.message.empty());
        }
        for (const auto& stage : record.timings) {
            INFO(stage.name);
            CHECK(stage.end); // every stage has come to its end
        }
        return decide(record.findings, Ending::finished);
    }

    [[nodiscard]] bool nothing_was_done() const {
        return commands.ran.empty() && kernel.was_mounted.empty();
    }

    FakeSysfs sysfs;
    FakeMetadata metadata;
    FakeClock& clock = metadata.clock;
    FakeKernel kernel{&clock};
    FakeCommands commands{&clock};
    Config config;
    Record record;

  private:
    unsigned disks_ = 0;
};

std::string told(const Verdict& verdict) {
    if (verdict.ready) return "ready";
    return verdict.code + (verdict.recreate ? "!" : "");
}

} // namespace

TEST_CASE("boot: a healthy machine without disks is ready within a second or so") {
    Machine machine;
    CHECK(told(machine.boots()) == "ready");
    CHECK(machine.nothing_was_done());
    CHECK(machine.clock.elapsed() < 2s);
    CHECK(machine.record.instance.id == "i-0abc");
    CHECK(machine.record.instance.source == "metadata");
    CHECK(machine.record.metadata.requests > 3);
    std::vector<std::string> stages;
    for (const auto& stage : machine.record.timings)
        stages.push_back(stage.name);
    std::ranges::sort(stages);
    CHECK(stages ==
          std::vector<std::string>{"disks", "metadata", "metadata again", "plan", "root"});
}

TEST_CASE("boot: a lie that was confirmed is found out before anything is written") {
    Machine machine;
    int documents = 0;
    const auto other = R"({"instanceId": "i-0other", "imageId": "ami-1", "instanceType": "m3.large",
        "accountId": "123456789012", "region": "eu-west-1", "availabilityZone": "eu-west-1a"})";
    bool for_good = true;
    machine.metadata.rule = [&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path != probes::identity_path) return std::nullopt;
        ++documents;
        // Three readings are another's; or, the other way round, one later reading is a lie.
        if (for_good ? documents <= 3 : documents == 4) return FakeMetadata::status(200, other);
        return std::nullopt;
    };
    SECTION("for good") {
        machine.ephemeral("nvme1n1");
        CHECK(told(machine.boots()) == "metadata-unstable!");
        CHECK(machine.nothing_was_done());
        const auto& finding = machine.record.findings.back();
        CHECK(finding.subject == "identity");
        REQUIRE(finding.evidence["seen"].size() == 2);
        CHECK(finding.evidence["seen"][0]["instance_id"] == "i-0other");
        CHECK(finding.evidence["seen"][1]["instance_id"] == "i-0abc");
    }
    SECTION("the lie came later, and went") {
        for_good = false;
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.record.instance.id == "i-0abc");
        CHECK(machine.record.metadata.disagreements == 1);
    }
}

TEST_CASE("boot: the firmware names another instance") {
    Machine machine;
    SECTION("as the service does") {
        machine.sysfs.put("/sys/class/dmi/id/board_asset_tag", "i-0abc\n");
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.record.instance.id == "i-0abc");
    }
    SECTION("for ever") {
        machine.ephemeral("nvme1n1");
        machine.sysfs.put("/sys/class/dmi/id/board_asset_tag", "i-0def\n");
        CHECK(told(machine.boots()) == "metadata-unstable!");
        CHECK(machine.nothing_was_done());
        CHECK(machine.clock.elapsed() > 5s);
        CHECK(machine.record.instance.id.empty());
    }
}

TEST_CASE("boot: without a token, where that is allowed, is told") {
    Machine machine;
    machine.config.metadata.imdsv1 = true;
    machine.metadata.rule = [&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == "token") return FakeMetadata::status(404);
        return FakeMetadata::status(200, machine.metadata.tree.at(path));
    };
    CHECK(told(machine.boots()) == "ready");
    CHECK(machine.record.metadata.imdsv1);
}

TEST_CASE("boot: without metadata no disk is changed") {
    struct Row {
        const char* name;
        FakeMetadata::Rule rule;
        const char* verdict;
    };
    const Row rows[] = {
        {"refused", [](const std::string&) { return fail(Errc::refused, "x"); },
         "metadata-unavailable!"},
        {"silent", [](const std::string&) { return fail(Errc::timed_out, "x"); },
         "metadata-unavailable!"},
        {"switched off", [](const std::string&) { return FakeMetadata::status(403); },
         "metadata-unavailable!"},
        {"failing", [](const std::string&) { return FakeMetadata::status(503); },
         "metadata-unavailable!"},
        {"empty",
         [](const std::string& path) -> std::optional<FakeMetadata::Answer> {
             if (path == "token") return std::nullopt;
             return FakeMetadata::status(200, "");
         },
         "metadata-unavailable!"},
        {"no mapping",
         [](const std::string& path) -> std::optional<FakeMetadata::Answer> {
             if (path != probes::mapping_path) return std::nullopt;
             return FakeMetadata::status(200, "");
         },
         "metadata-unavailable!"},
        {"no identity",
         [](const std::string& path) -> std::optional<FakeMetadata::Answer> {
             if (path != probes::identity_path) return std::nullopt;
             return FakeMetadata::status(404);
         },
         "metadata-unavailable!"},
    };
    for (const auto& [name, rule, verdict] : rows) {
        INFO(name);
        Machine machine;
        machine.ephemeral("nvme1n1");
        machine.metadata.rule = rule;
        machine.sysfs.put("/usr/sbin/lvm", "");
        machine.commands.prints("LVM_SYSTEM_DIR= /usr/sbin/lvm version",
                                "LVM version: 2.03.16(2)\n");
        CHECK(told(machine.boots()) == verdict);
        CHECK(machine.commands.ran.size() == 1); // what version it is
        CHECK(machine.kernel.was_mounted.empty());
        CHECK(machine.record.storage.empty());
        CHECK(machine.clock.elapsed() <= 151s);
    }
}

TEST_CASE("boot: \"any\" waits for the disk of every controller") {
    Machine machine;
    machine.sysfs.put("/sys/class/nvme/nvme1/model", instance_storage);
    SECTION("that never comes") {
        CHECK(told(machine.boots()) == "ephemeral-missing!");
        CHECK(machine.nothing_was_done());
        CHECK(machine.clock.elapsed() > 60s);
        CHECK(machine.clock.elapsed() < 63s);
        CHECK_THAT(machine.record.findings.back().message, Catch::Contains("expected 1"));
    }
    SECTION("that is not even known for one") {
        machine.sysfs.drop("/sys/class/nvme/nvme1");
        machine.sysfs.put("/sys/bus/pci/devices/0000:00:1f.0/vendor", "0x1d0f\n");
        machine.sysfs.put("/sys/bus/pci/devices/0000:00:1f.0/class", "0x010802\n");
        CHECK(told(machine.boots()) == "cannot-tell!");
        CHECK(machine.nothing_was_done());
    }
    SECTION("but a number is a number") {
        machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::at_least};
        CHECK(told(machine.boots()) == "ready");
    }
}

TEST_CASE("boot: more disks than expected are used, and noted") {
    Machine machine;
    machine.ephemeral("nvme1n1");
    machine.ephemeral("nvme2n1");
    machine.config.mode = Mode::observe;
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly, .count = 1};
    CHECK(told(machine.boots()) == "ready");
    CHECK(std::ranges::any_of(machine.record.findings, [](const auto& finding) {
        return !finding.gating && finding.message.find("all are used") != std::string::npos;
    }));
}

TEST_CASE("boot: the stages' deadlines are clipped by the job's") {
    Machine machine;
    machine.metadata.rule = [](const std::string&) { return fail(Errc::refused, "x"); };
    CHECK(told(machine.boots(20s)) == "metadata-unavailable!");
    CHECK(machine.clock.elapsed() <= 22s);

    Machine other;
    other.config.ebs = {{.name = "data", .device = "/dev/sdf", .deadline = 1h}};
    CHECK(told(other.boots(30s)) == "ebs-missing!");
    CHECK(other.clock.elapsed() <= 31s);
}

TEST_CASE("boot: somebody's data on a disk is worth more than a new machine") {
    for (const char* signature : {"ext4", "xfs", "swap", "gpt", "crypto_LUKS", "LVM1_member"}) {
        INFO(signature);
        Machine machine;
        machine.ephemeral("nvme1n1");
        machine.ephemeral("nvme2n1", signature);
        machine.config.ebs = {{.name = "data", .device = "/dev/sdf", .deadline = 5s}};
        CHECK(told(machine.boots()) == "ephemeral-foreign-data");
        CHECK(machine.nothing_was_done());
        const auto missing =
            std::ranges::find(machine.record.findings, "ebs-missing", &probes::Finding::code);
        CHECK(missing != machine.record.findings.end()); // it is still told
    }
}

TEST_CASE("boot: an unknown key under ephemeral writes nothing and condemns nobody") {
    Machine machine;
    machine.ephemeral("nvme1n1");
    machine.config.ephemeral.writes_allowed = false;
    CHECK(told(machine.boots()) == "config-invalid");
    CHECK(machine.nothing_was_done());
}

TEST_CASE("boot: observe takes no step and tells each that it would have taken") {
    Machine machine;
    machine.ephemeral("nvme1n1");
    machine.ephemeral("nvme2n1");
    machine.config.mode = Mode::observe;
    CHECK(told(machine.boots()) == "ready");
    CHECK(machine.nothing_was_done());
    const auto& storage = machine.record.storage;
    REQUIRE(storage.contains("would_change"));
    CHECK(storage["would_change"].size() >= 3);
    CHECK(storage["devices"].size() == 2);
    CHECK_FALSE(storage.contains("changes"));
}

TEST_CASE("boot: too few disks, too late") {
    Machine machine;
    machine.ephemeral("nvme1n1");
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly, .count = 2};
    CHECK(told(machine.boots()) == "ephemeral-missing!");
    CHECK(machine.nothing_was_done());
    CHECK(machine.clock.elapsed() >= 60s);
    CHECK(machine.clock.elapsed() < 63s);

    Machine without;
    without.ephemeral("nvme1n1", "ext4");
    without.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::none};
    CHECK(told(without.boots()) == "ready"); // none is wanted: none is even looked at
    CHECK(without.kernel.was_probed.empty());
}

namespace {

/// LVM's report of our group of two disks, of which those in `devices` are seen.
std::string report_of_two(const std::string& devices) {
    std::string pvs;
    for (const auto& [name, minor] : {std::pair{"nvme1n1", 10}, {"nvme2n1", 20}}) {
        const bool seen = devices.find(name) != std::string::npos;
        pvs +=
            fmt::format(R"({}{{"pv_name":"{}", "pv_uuid":"u{}", "pv_major":"{}", "pv_minor":"{}",)"
                        R"( "pv_missing":"{}", "pv_in_use":"used"}})",
                        pvs.empty() ? "" : ",", seen ? name : "[unknown]", minor, seen ? 259 : 0,
                        seen ? minor : 0, seen ? "" : "missing");
    }
    return R"({"report": [{"vg": [{"vg_name":"muster", "vg_uuid":"u", )"
           R"("vg_tags":"muster,muster.instance=i-0abc", "vg_extent_size":"4194304", )"
           R"("vg_free_count":"0", "vg_exported":""}], "pv": [)" +
           pvs +
           R"(], "lv": [{"lv_name":"scratch", "lv_uuid":"x", "lv_size":"8388608", "lv_active":"", )"
           R"("lv_tags":"muster.filesystem=xfs"}], "pvseg": [{"pvseg_start":"0"}], )"
           R"("seg": [{"lv_name":"scratch", "stripes":"2"}]}]})";
}

} // namespace

TEST_CASE("boot: a disk of our group may only be late") {
    Machine machine;
    machine.sysfs.put("/usr/sbin/lvm", "");
    machine.ephemeral("nvme1n1", "LVM2_member");
    machine.config.mode = Mode::observe;
    machine.commands.answer_with(
        [](const Command& command) -> std::optional<Result<CommandOutput>> {
            if (command.argv[1] == "version") {
                return CommandOutput{.out = "  LVM version:     2.03.16(2) (2022-05-18)\n"};
            }
            const auto devices = std::ranges::find(command.argv, "--devices");
            REQUIRE(devices != command.argv.end());
            return CommandOutput{.out = report_of_two(*(devices + 1))};
        });
    bool here = false;
    SECTION("it comes") {
        machine.kernel.meanwhile = [&] {
            if (here || machine.clock.elapsed() < 20s) return;
            here = true;
            machine.ephemeral("nvme2n1", "LVM2_member");
        };
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.record.storage["would_change"][0] == "activate the volume group muster");
        CHECK(machine.clock.elapsed() >= 20s);
        CHECK(machine.clock.elapsed() < 22s);
        CHECK(std::ranges::count(machine.record.timings, "late disks", &Stage::name) == 1);
    }
    SECTION("it does not") {
        CHECK(told(machine.boots()) == "ephemeral-missing!");
        CHECK(machine.clock.elapsed() >= 60s);
        CHECK(machine.clock.elapsed() < 62s);
    }
    SECTION("it does not, and the group is to be rebuilt") {
        machine.config.ephemeral.layout.on_partial = lvm::PartialGroup::rebuild;
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.clock.elapsed() >= 60s);
        const auto first = machine.record.storage["would_change"][0].get<std::string>();
        CHECK(first.starts_with("give up what is left of the volume group muster"));
    }
}

TEST_CASE("boot: what needs no metadata is looked at while they are being confirmed") {
    Machine machine;
    machine.config.mode = Mode::observe;
    machine.sysfs.put("/usr/sbin/lvm", "");
    machine.commands.prints("LVM_SYSTEM_DIR= /usr/sbin/lvm version", "LVM version: 2.03.16(2)\n");
    // What had been looked at when the metadata was first asked for.
    std::optional<std::size_t> looked;
    std::size_t asked = 0;
    machine.metadata.rule = [&](const std::string&) {
        if (!looked) {
            looked = machine.kernel.was_probed.size();
            asked = machine.commands.ran.size();
        }
        return std::nullopt;
    };
    SECTION("an ephemeral disk and LVM, once") {
        machine.ephemeral("nvme1n1");
        CHECK(told(machine.boots()) == "ready");
        CHECK(looked == 1);
        CHECK(asked == 1);
        CHECK(machine.kernel.was_probed == std::vector<std::string>{"/dev/nvme1n1"});
        CHECK(machine.commands.ran.size() == 1);
    }
    SECTION("what only the metadata can tell of is left alone") {
        machine.sysfs.disk({.name = "xvdb", .number = {202, 16}, .size = 100 * GiB});
        machine.kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
        (void)machine.boots();
        CHECK(looked == 0);
        CHECK(asked == 1);
        CHECK(machine.kernel.was_probed.empty());
    }
    SECTION("where EBS is all there is LVM need not be asked") {
        machine.sysfs.disk({.name = "nvme0n1",
                            .number = {259, 1},
                            .size = 100 * GiB,
                            .model = "Amazon Elastic Block Store",
                            .serial = "vol1"});
        machine.kernel.devices["/dev/nvme0n1"].set(DeviceNumber{259, 1});
        machine.kernel.identities["/dev/nvme0n1"].set(std::string(4096, '\0'));
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.commands.ran.empty());
    }
    SECTION("the disks may be none of ours") {
        machine.ephemeral("nvme1n1");
        auto& expect = machine.config.ephemeral.expect;
        SECTION("on no type") {
            expect.otherwise = {.kind = Expectation::Kind::none};
        }
        SECTION("on this one") {
            expect.by_type["m3.large"] = {.kind = Expectation::Kind::none};
        }
        (void)machine.boots();
        CHECK(looked == 0);
        CHECK(asked == 0);
    }
    SECTION("side by side: a slow look costs no more than itself") {
        machine.ephemeral("nvme1n1");
        machine.kernel.contents["/dev/nvme1n1"].set(fail(Errc::stuck, "slow"));
        CHECK(told(machine.boots()) == "ephemeral-stuck!");
        CHECK(machine.clock.elapsed() == 20s); // and not the readings' time besides
    }
    SECTION("a command of an earlier run still writes") {
        machine.ephemeral("nvme1n1");
        const auto path = machine.sysfs.files().real("/run/muster/disks.lock").string();
        const auto lock = Lock::take(path);
        REQUIRE(lock);
        CHECK(told(machine.boots()) == "ephemeral-stuck!");
        CHECK(machine.kernel.was_probed.empty());
    }
}

TEST_CASE("boot: what can't be told is neither ready nor no") {
    Machine unreadable;
    unreadable.sysfs.spoil("/sys/block");
    unreadable.sysfs.drop("/sys/block");
    CHECK(told(unreadable.boots()) == "cannot-tell!");
    CHECK(unreadable.nothing_was_done());

    Machine stuck;
    stuck.ephemeral("nvme1n1");
    stuck.kernel.contents["/dev/nvme1n1"].set(fail(Errc::stuck, "no answer"));
    CHECK(told(stuck.boots()) == "ephemeral-stuck!");
    CHECK(stuck.nothing_was_done());

    Machine broken;
    broken.ephemeral("nvme1n1");
    broken.kernel.contents["/dev/nvme1n1"].set(fail(Errc::io, "I/O error"));
    CHECK(told(broken.boots()) == "ephemeral-io-error!");

    Machine odd;
    odd.ephemeral("nvme1n1");
    odd.kernel.contents["/dev/nvme1n1"].set(fail(Errc::denied, "?"));
    CHECK(told(odd.boots()) == "cannot-tell!");
    CHECK(odd.nothing_was_done());
}

TEST_CASE("boot: the root goes on beside the rest, and counts") {
    Machine full;
    full.kernel.spaces["/"].set(Space{100, 1, 100, 50});
    CHECK(told(full.boots()) == "root-full");

    Machine stuck;
    stuck.kernel.spaces["/"].set(fail(Errc::stuck, "no answer"));
    CHECK(told(stuck.boots()) == "root-stuck!");
    CHECK(stuck.record.instance.id == "i-0abc"); // the metadata did not wait for it
    CHECK(stuck.clock.elapsed() <= 31s);

    Machine read_only;
    read_only.sysfs.forget_mounts();
    read_only.sysfs.mount({259, 1}, "/", "ro");
    CHECK(told(read_only.boots()) == "root-read-only!");
}

namespace {

/// A machine with the owner's programs: what each answers, and how long that takes.
struct CheckedMachine : Machine {
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
