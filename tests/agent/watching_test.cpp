// What `muster watch` sees: its looks over a machine in memory.
#include <algorithm>

#include "agent/watch/watching.h"
#include "probes/ephemeral.h"
#include "tests/catch.h"
#include "tests/fakes/fake_command.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_metadata.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace std::chrono_literals;
using probes::FakeMetadata;

namespace {

struct WatchedMachine {
    WatchedMachine() {
        sysfs.mount({259, 1}, "/");
        sysfs.block({259, 1}, "nvme0n1p1", std::uint64_t{8} << 30);
        kernel.reads["/dev/nvme0n1p1"].set(1ms);
        sysfs.disk({.name = "nvme1n1",
                    .number = {259, 10},
                    .model = std::string(probes::ebs_model),
                    .serial = "vol0a"});
        std::string identify(4096, '\0');
        identify.replace(3072, 8, "/dev/sdf");
        kernel.identities["/dev/nvme1n1"].set(identify);
        kernel.reads["/dev/nvme1n1"].set(5ms);
        for (const char* node :
             {"/dev/sda1", "/dev/xvda1", "/dev/sdf", "/dev/xvdf", "/dev/sdz", "/dev/xvdz"})
            kernel.devices[node].set(fail(Errc::absent, node));
        kernel.spaces["/"].set(Space{100, 50, 100, 50});
        metadata.tree[probes::mapping_path] = "ami\nebs1\nroot";
        metadata.tree[probes::mapping_path + "ebs1"] = "sdf";
        config.metadata.endpoint = "http://imds"; // FakeMetadata's
        eyes->follow(config);
    }

    Sight look() { return eyes->look(Deadline::in(metadata.clock, 150s)); }

    FakeSysfs sysfs;
    FakeMetadata metadata;
    FakeKernel kernel{&metadata.clock};
    FakeCommands commands{&metadata.clock};
    Config config;
    std::unique_ptr<Eyes> eyes = make_eyes(
        {sysfs.files(), metadata.clock, kernel, commands, metadata.http, "/run/muster/disks.lock"});
};

/// "root mount pass, ebs ebs1 pass"
std::string told(const Sight& sight) {
    std::string text;
    for (const auto& finding : sight.findings) {
        text += (text.empty() ? "" : ", ") + finding.check + " " + finding.subject + " " +
                (finding.code.empty() ? "pass" : finding.code);
    }
    return text;
}

} // namespace

TEST_CASE("eyes: root and volumes, with metadata confirmed once and kept") {
    WatchedMachine machine;
    const std::string well =
        "root mount pass, root bytes pass, root inodes pass, root io pass, ebs ebs1 pass";
    auto sight = machine.look();
    CHECK(told(sight) == well);
    CHECK_FALSE(sight.metadata_error);
    CHECK(sight.instance.id == "i-0abc");
    CHECK(sight.instance.source == "metadata");
    CHECK(machine.metadata.asked(probes::identity_path) == 3);
    const auto requests = sight.metadata_requests;
    for (int i = 0; i < 5; ++i) {
        machine.metadata.clock.advance(30s);
        sight = machine.look();
        CHECK(told(sight) == well);
    }
    CHECK(machine.metadata.asked(probes::identity_path) == 3);
    CHECK(sight.metadata_requests == requests + 5 * 4);
    CHECK(machine.commands.ran.empty());
    CHECK(machine.kernel.was_mounted.empty());
    CHECK(machine.kernel.was_written.empty());
}

TEST_CASE("eyes: a volume that is not there is bad at once, and one that is stuck when it is") {
    WatchedMachine machine;
    machine.config.ebs = {EbsVolume{.name = "data", .device = "/dev/sdz", .deadline = 1h}};
    machine.eyes->follow(machine.config);
    const auto began = machine.metadata.clock.elapsed();
    auto sight = machine.look();
    CHECK_THAT(told(sight), Catch::Contains("ebs data ebs-missing"));
    CHECK(machine.metadata.clock.elapsed() - began < 2s);

    machine.config.ebs = {EbsVolume{.name = "data", .device = "/dev/sdf"}};
    machine.kernel.reads["/dev/nvme1n1"].set(fail(Errc::stuck, "no answer"));
    machine.kernel.spaces["/"].set(fail(Errc::stuck, "no answer"));
    machine.kernel.reads["/dev/nvme0n1p1"].set(fail(Errc::stuck, "no answer"));
    machine.eyes->follow(machine.config);
    const auto before = machine.metadata.clock.elapsed();
    CHECK(told(machine.look()) ==
          "root mount pass, root space root-stuck, root io root-stuck, ebs data ebs-stuck");
    CHECK(machine.metadata.clock.elapsed() - before < 32s); // side by side
}

TEST_CASE("eyes: metadata that fails is no finding, and nothing is made up of it") {
    WatchedMachine machine;
    machine.metadata.rule = [](const std::string&) { return FakeMetadata::status(503); };
    auto sight = machine.look();
    CHECK(told(sight) == "root mount pass, root bytes pass, root inodes pass, root io pass");
    CHECK(sight.metadata_error);
    CHECK(sight.metadata_requests == 1);
    machine.metadata.rule = {};
    sight = machine.look();
    CHECK_THAT(told(sight), Catch::Contains("ebs ebs1 pass"));
    CHECK_FALSE(sight.metadata_error);
    // What was confirmed holds.
    machine.metadata.rule = [](const std::string&) { return FakeMetadata::status(503); };
    sight = machine.look();
    CHECK_THAT(told(sight), Catch::Contains("ebs ebs1 pass"));
    CHECK(sight.instance.id == "i-0abc");
    // Volumes of the configuration need nobody's answer.
    WatchedMachine other;
    other.metadata.rule = [](const std::string&) { return FakeMetadata::status(503); };
    other.config.ebs = {EbsVolume{.name = "data", .device = "/dev/sdf"}};
    other.eyes->follow(other.config);
    CHECK_THAT(told(other.look()), Catch::Contains("ebs data pass"));
}

TEST_CASE("eyes: what is announced") {
    WatchedMachine machine;
    machine.metadata.tree["meta-data/autoscaling/target-lifecycle-state"] = "InService";
    const auto sight = machine.look();
    REQUIRE(sight.notices.size() == 1);
    CHECK(sight.notices[0].kind == "lifecycle");
}
