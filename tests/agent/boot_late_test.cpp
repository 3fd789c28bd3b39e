// The boot job: how long it waits for disks.
#include "tests/agent/boot_machine.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("boot: \"any\" waits for the disk of every controller") {
    BootMachine machine;
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
        CHECK(told(machine.boots()) == "cannot-tell"); // nor whether it holds data
        CHECK(machine.nothing_was_done());
    }
    SECTION("but a number is a number") {
        machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::at_least};
        CHECK(told(machine.boots()) == "ready");
    }
}

TEST_CASE("boot: too few disks, too late") {
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly, .count = 2};
    CHECK(told(machine.boots()) == "ephemeral-missing!");
    CHECK(machine.nothing_was_done());
    CHECK(machine.clock.elapsed() >= 60s);
    CHECK(machine.clock.elapsed() < 63s);

    BootMachine without;
    without.ephemeral("nvme1n1", "ext4");
    without.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::none};
    CHECK(told(without.boots()) == "ready"); // none is wanted: none is even looked at
    CHECK(without.kernel.was_probed.empty());
}

TEST_CASE("boot: whenever the time is up, disks that are not joined are not passed over") {
    for (Duration deadline = 100ms; deadline < 3s; deadline += 20ms) {
        CAPTURE(seconds(deadline));
        BootMachine machine; // without LVM, so nothing can be made of the disk
        machine.ephemeral("nvme1n1");
        CHECK(told(machine.boots(deadline)) != "ready");
    }
}

TEST_CASE("boot: a volume at the name of an ephemeral disk that is not there is left alone") {
    BootMachine machine;
    machine.metadata.tree[probes::mapping_path] = "ami\nephemeral0\nroot";
    machine.metadata.tree[probes::mapping_path + "ephemeral0"] = "sdf";
    machine.sysfs.disk({.name = "xvdf", .number = {202, 80}, .size = 30 * GiB});
    machine.kernel.devices["/dev/xvdf"].set(DeviceNumber{202, 80});
    machine.kernel.contents["/dev/xvdf"].set(DiskContent{.zeroed = true});
    machine.kernel.claims["/dev/xvdf"].set(false);
    const auto said = [&](const std::string& what) {
        return std::ranges::any_of(machine.record.findings, [&](const auto& finding) {
            return finding.message.find(what) != std::string::npos;
        });
    };
    SECTION("where the type has no such disks") {
        auto& identity = machine.metadata.tree[probes::identity_path];
        identity.replace(identity.find("m3.large"), 8, "m4.large");
        CHECK(told(machine.boots()) == "ready");
        CHECK(said("/dev/xvdf is left alone: the mapping calls it ephemeral0, but no ephemeral "
                   "disk of the "
                   "type m4.large is known"));
        CHECK(machine.nothing_was_done());
    }
    SECTION("where the type has fewer of them") {
        machine.metadata.tree[probes::mapping_path] = "ami\nephemeral1\nroot";
        machine.metadata.tree[probes::mapping_path + "ephemeral1"] = "sdf";
        CHECK(told(machine.boots()) == "ready");
        CHECK(said(
            "/dev/xvdf is left alone: the mapping calls it ephemeral1, but m3.large has no more"));
        CHECK(machine.nothing_was_done());
    }
    SECTION("where the owner says that it is his") {
        machine.kernel.reads["/dev/xvdf"].set(1ms);
        machine.config.ebs = std::vector{
            EbsVolume{.name = "data", .device = "/dev/sdf", .volume_id = {}, .min_size = {}}};
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.nothing_was_done());
        CHECK(said("/dev/xvdf is left alone: the configuration says that ebs.data is \"sdf\""));
    }
    SECTION("else it is believed") {
        CHECK(told(machine.boots()) == "tool-missing");
        CHECK(said("lvm is not installed"));
    }
}

namespace {

/// LVM's report of our group of two disks, of which those in `devices` are seen.
std::string report_of_two(const std::string& devices) {
    std::string pvs;
    for (const auto& [name, minor] : {std::pair{"nvme1n1", 10}, {"nvme2n1", 20}}) {
        const bool seen = devices.find(name) != std::string::npos;
        pvs +=
            fmt::format(R"({}{{"pv_name":"{}", "pv_uuid":"u{}", "pv_major":"{}", "pv_minor":"{}",)"
                        R"( "pv_missing":"{}", "pv_in_use":"used", "pv_pe_count":"1",)"
                        R"( "pv_pe_alloc_count":"1"}})",
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
    BootMachine machine;
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
