// The boot job: what it finds, what it asks of the machine, what the verdict is.
#include "tests/agent/boot_machine.h"

using namespace muster;
using namespace std::chrono_literals;
using probes::FakeMetadata;

TEST_CASE("boot: a healthy machine without disks is ready within a second or so") {
    BootMachine machine;
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
    BootMachine machine;
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
    BootMachine machine;
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
    BootMachine machine;
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
        BootMachine machine;
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

TEST_CASE("boot: more disks than expected are used, and noted") {
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    machine.ephemeral("nvme2n1");
    machine.config.mode = Mode::observe;
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly, .count = 1};
    CHECK(told(machine.boots()) == "ready");
    CHECK(std::ranges::any_of(machine.record.findings, [](const auto& finding) {
        return !finding.gating && finding.message.find("all are used") != std::string::npos;
    }));
}

TEST_CASE("boot: more disks than expected with nothing but a name are all refused") {
    for (const unsigned expected : {0U, 1U, 2U}) {
        CAPTURE(expected);
        BootMachine machine;
        auto& identity = machine.metadata.tree[probes::identity_path];
        identity.replace(identity.find("m3.large"), 8, "m3.xlarge");
        machine.metadata.tree[probes::mapping_path] = "ami\nephemeral0\nephemeral1\nroot";
        for (const auto& [n, letter] : {std::pair{0U, "b"}, {1U, "f"}}) {
            const auto disk = fmt::format("xvd{}", letter);
            machine.metadata.tree[fmt::format("{}ephemeral{}", probes::mapping_path, n)] =
                fmt::format("sd{}", letter);
            machine.sysfs.disk({.name = disk, .number = {202, 16 * n}, .size = 30 * GiB});
            machine.kernel.devices["/dev/" + disk].set(DeviceNumber{202, 16 * n});
            machine.kernel.contents["/dev/" + disk].set(DiskContent{.zeroed = true});
            machine.kernel.claims["/dev/" + disk].set(false);
        }
        machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly,
                                                     .count = expected};
        CHECK(told(machine.boots()) == (expected < 2 ? "ephemeral-foreign-data" : "tool-missing"));
        const bool refused = std::ranges::any_of(machine.record.findings, [](const auto& finding) {
            return finding.message.find("have the names of ephemeral disks") != std::string::npos &&
                   finding.message.find("ephemeral.expect") != std::string::npos;
        });
        CHECK(refused == (expected < 2));
        CHECK(machine.nothing_was_done());
    }
}

TEST_CASE("boot: a disk that may be one of those expected is not known to be missing") {
    BootMachine machine;
    machine.metadata.tree[probes::mapping_path] = "ami\nephemeral0\nebs1\nroot";
    machine.metadata.tree[probes::mapping_path + "ephemeral0"] = "sdb";
    machine.metadata.tree[probes::mapping_path + "ebs1"] = "xvdb";
    machine.sysfs.disk({.name = "xvdb", .number = {202, 16}});
    machine.kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly, .count = 1};
    CHECK(told(machine.boots()) == "cannot-tell"); // nor what is on it
    machine.config.ephemeral.expect.otherwise.count = 2;
    CHECK(told(machine.boots()) == "ephemeral-missing!");
    CHECK(machine.nothing_was_done());
}

TEST_CASE("boot: the stages' deadlines are clipped by the job's") {
    BootMachine machine;
    machine.metadata.rule = [](const std::string&) { return fail(Errc::refused, "x"); };
    CHECK(told(machine.boots(20s)) == "metadata-unavailable!");
    CHECK(machine.clock.elapsed() <= 22s);

    BootMachine other;
    other.config.ebs = {{.name = "data", .device = "/dev/sdf", .deadline = 1h}};
    CHECK(told(other.boots(30s)) == "ebs-missing!");
    CHECK(other.clock.elapsed() <= 31s);
}

TEST_CASE("boot: somebody's data on a disk is worth more than a new machine") {
    for (const char* signature : {"ext4", "xfs", "swap", "gpt", "crypto_LUKS", "LVM1_member"}) {
        INFO(signature);
        BootMachine machine;
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
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    machine.config.ephemeral.writes_allowed = false;
    CHECK(told(machine.boots()) == "config-invalid");
    CHECK(machine.nothing_was_done());
}

TEST_CASE("boot: observe takes no step and tells each that it would have taken") {
    BootMachine machine;
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

TEST_CASE("boot: what can't be told is neither ready nor no") {
    BootMachine unreadable;
    unreadable.sysfs.spoil("/sys/block");
    unreadable.sysfs.drop("/sys/block");
    CHECK(told(unreadable.boots()) == "cannot-tell");
    CHECK(unreadable.nothing_was_done());

    BootMachine stuck;
    stuck.ephemeral("nvme1n1");
    stuck.kernel.contents["/dev/nvme1n1"].set(fail(Errc::stuck, "no answer"));
    CHECK(told(stuck.boots()) == "ephemeral-stuck!");
    CHECK(stuck.nothing_was_done());

    BootMachine broken;
    broken.ephemeral("nvme1n1");
    broken.kernel.contents["/dev/nvme1n1"].set(fail(Errc::io, "I/O error"));
    CHECK(told(broken.boots()) == "ephemeral-io-error!");

    BootMachine odd;
    odd.ephemeral("nvme1n1");
    odd.kernel.contents["/dev/nvme1n1"].set(fail(Errc::denied, "?"));
    CHECK(told(odd.boots()) == "cannot-tell");
    CHECK(odd.nothing_was_done());
}

TEST_CASE("boot: the root goes on beside the rest, and counts") {
    BootMachine full;
    full.kernel.spaces["/"].set(Space{100, 1, 100, 50});
    CHECK(told(full.boots()) == "root-full");

    BootMachine stuck;
    stuck.kernel.spaces["/"].set(fail(Errc::stuck, "no answer"));
    CHECK(told(stuck.boots()) == "root-stuck!");
    CHECK(stuck.record.instance.id == "i-0abc"); // the metadata did not wait for it
    CHECK(stuck.clock.elapsed() <= 31s);

    BootMachine read_only;
    read_only.sysfs.forget_mounts();
    read_only.sysfs.mount({259, 1}, "/", "ro");
    CHECK(told(read_only.boots()) == "root-read-only!");
}
