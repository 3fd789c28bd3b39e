#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

TEST_CASE("apply: a fresh machine, and again, and after a reboot") {
    for (const auto& layout : layouts()) {
        for (const unsigned count : {1U, 2U, 4U, 24U}) {
            CAPTURE(layout.volume_group, count);
            Assembly job(count);
            job.layout = layout;
            const auto first = job.run();
            CHECK(first.message.empty());
            CHECK(first.steps > 0);
            CHECK(job.machine.disks_of(job.machine.groups.at(0)).size() == count);
            CHECK(job.machine.groups[0].volumes.back().stripes == count);
            job.check_finished();

            job.machine.reboot();
            const auto again = job.run();
            CHECK(again.message.empty());
            for (const auto& write : job.machine.writes)
                FAIL("written to " << write.disk << " at a reboot: " << write.what);
            job.check_finished();
        }
    }
}

TEST_CASE("apply: blank disks after a stop and start are assembled anew") {
    Assembly job(2);
    CHECK(job.run().message.empty());
    job.machine.groups.clear();
    for (auto& [name, disk] : job.machine.disks) {
        disk.content = {.zeroed = true};
        disk.pv = disk.group = "";
        disk.in_use = false;
    }
    job.machine.reboot();
    CHECK(job.run().message.empty());
    job.check_finished();
}

TEST_CASE("apply: steps are told before and after, with what went wrong") {
    Assembly job(1);
    const auto plan = job.plan();
    REQUIRE(plan);
    Strings told;
    job.machine.meanwhile = [&](const std::string& call) {
        if (call != "lvcreate") return;
        job.machine.fault_at = job.machine.calls;
        job.machine.fault = Fault::error;
    };
    const auto done = lvm::apply(
        job.world(), *plan, Deadline::in(job.machine.clock, std::chrono::seconds(300)),
        {.begin = [&](const std::string& what) { told.push_back("begin " + what); },
         .end = [&](const std::string&, const std::string& error) { told.push_back(error); }});
    REQUIRE_FALSE(done);
    REQUIRE(told.size() == 4);
    CHECK(told[0] == "begin create the volume group muster on /dev/nvme1n1");
    CHECK(told[1].empty());
    CHECK(told[2] == "begin create the volume scratch of 100%FREE in muster, linear");
    CHECK_THAT(told[3], Catch::EndsWith("failed (status 5): fake: it failed"));
    CHECK(done.error().message == told[2].substr(6) + ": " + told[3]);
}

TEST_CASE("apply: a plan that refuses is not carried out at all") {
    Assembly job(2);
    auto plan = job.plan();
    REQUIRE(plan);
    plan->refusals.push_back({"nvme1n1", "ephemeral-foreign-data", "somebody's"});
    job.lvm.ran.clear();
    const auto done = job.apply(*plan);
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK(done.message == "somebody's");
    CHECK(job.machine.writes.empty());
    CHECK(job.lvm.ran.empty());
}

TEST_CASE("apply: a tool is missing") {
    for (const auto& [tool, says] : {std::pair{"lvm", "lvm2"}, {"mkfs.xfs", "xfsprogs"}}) {
        Assembly job(2);
        job.machine.sysfs.drop(std::string("/usr/sbin/") + tool);
        const auto done = job.run();
        CHECK(done.reason == "tool-missing");
        CHECK_THAT(done.message, Catch::Contains(says));
    }
}

TEST_CASE("apply: LVM's own question is the second refusal") {
    Assembly job(2);
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.meanwhile = [&](const std::string& call) {
        if (call == "vgcreate")
            job.machine.disks.at("nvme2n1").content = {
                .signatures = {{"ext4", "filesystem", "", "", 1080}}};
    };
    const auto done = job.apply(*plan);
    // Somebody's data, which are not to be given up with the machine.
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::Contains("/dev/nvme2n1 has got ext4 at offset 1080 since"));
    CHECK_THAT(done.message, Catch::Contains("1 existing signature left on the device"));
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk that became a member of another group is somebody's, too") {
    for (const auto& [name, reason] : {std::pair{"theirs", "ephemeral-foreign-data"},
                                       // Not to be told from a vgcreate of ours.
                                       {"muster", "assembly-failed"}}) {
        CAPTURE(name);
        Assembly job(2);
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.meanwhile = [&, group = std::string(name)](const std::string& call) {
            if (call != "vgcreate") return;
            job.machine.groups.push_back({.name = group, .uuid = "other", .pvs = {"pv-other"}});
            auto& disk = job.machine.disks.at("nvme2n1");
            disk.group = "other";
            disk.pv = "pv-other";
            disk.content = {.signatures = {{"LVM2_member", "raid"}}};
        };
        const auto done = job.apply(*plan);
        CHECK(done.reason == reason);
        CHECK_THAT(done.message, Catch::Contains("vgcreate"));
        if (done.reason == "ephemeral-foreign-data")
            CHECK_THAT(done.message, Catch::Contains("a label of the volume group theirs since"));
        CHECK(job.machine.writes.empty());
    }
}

TEST_CASE(
    "apply: a disk that came into use since it was looked at is no reason for a new machine") {
    Assembly job(2);
    job.machine.meanwhile = [&](const std::string& call) {
        if (call == "vgcreate") job.machine.disks.at("nvme2n1").claimed = true;
    };
    const auto done = job.run();
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::Contains("/dev/nvme2n1 has got a user that has it for itself"));
}

TEST_CASE("apply: after a vgcreate that hangs no disk is looked at any more") {
    Assembly job(2);
    job.machine.meanwhile = [&](const std::string& call) {
        if (call != "vgcreate") return;
        job.machine.fault_at = job.machine.calls;
        job.machine.fault = Fault::stuck;
    };
    CHECK(job.run().reason == "ephemeral-stuck");
    CHECK(job.machine.called.back() == "vgcreate");
}

TEST_CASE("apply: a command that began too late is not blamed on the disks") {
    for (const auto& [left, reason] :
         {std::pair{3s, "deadline-exceeded"}, {30s, "ephemeral-stuck"}}) {
        Assembly job(2);
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.meanwhile = [&](const std::string& call) {
            if (call != "vgcreate") return;
            job.machine.fault_at = job.machine.calls;
            job.machine.fault = Fault::stuck;
        };
        const StepNotice silent{.begin = [](const std::string&) {},
                                .end = [](const std::string&, const std::string&) {}};
        const auto done =
            lvm::apply(job.world(), *plan, Deadline::in(job.machine.clock, left), silent);
        REQUIRE_FALSE(done);
        CHECK(done.error().reason == reason);
    }
}

TEST_CASE("apply: the volume must lie on the group's own disks") {
    Assembly job(2);
    job.before_step = [&](const std::string& step) {
        if (step.starts_with("make xfs")) job.machine.sysfs.folder("/sys/block/dm-0/slaves/xvdz");
    };
    const auto done = job.run();
    CHECK(done.reason == "assembly-failed");
    CHECK_THAT(done.message, Catch::Contains("lies on nvme1n1, nvme2n1, xvdz"));
    CHECK(job.machine.writes.back().what == "wipe");
}

TEST_CASE("apply: an owner's own volumes in our group are left as they are, at a reboot too") {
    Assembly job(2);
    job.layout.volumes[0].size = Percent{50};
    REQUIRE(job.run().message.empty());
    auto& volumes = job.machine.groups[0].volumes;
    volumes.push_back({.name = "scratch-real", .uuid = "r", .minor = 7, .hidden = true});
    volumes.push_back({.name = "snap", .uuid = "s", .extents = 1, .minor = 8});
    volumes.back().over = {"scratch-real"};
    volumes.push_back({.name = "plain", .uuid = "p", .extents = 1, .minor = 9});
    volumes[0].over = {"scratch-real"};
    job.machine.refresh();
    job.machine.writes.clear();
    CHECK(job.run().message.empty());
    job.machine.reboot();
    const auto done = job.run();
    CHECK(done.message.empty());
    CHECK(job.machine.writes.empty());
    CHECK(job.machine.groups[0].volumes[0].mounts == Strings{"/mnt/scratch"});
    CHECK_FALSE(job.machine.groups[0].volumes[3].minor); // his to activate

    // Under our name, and of another group: not found as ours.
    auto plan = job.plan();
    REQUIRE(plan);
    plan->group_uuid = "another-0000-0000-0000-0000-0000-000000";
    plan->steps = {MountVolume{job.layout.volumes[0]}};
    CHECK(job.apply(*plan).reason == "assembly-failed");
}

TEST_CASE("apply: a configuration that the group can't give is refused before anything is done") {
    Assembly job(2);
    REQUIRE(job.run().message.empty());
    job.layout.volumes[0].size = Percent{50};
    job.layout.volumes.push_back({.name = "logs", .size = Percent{50}, .mount = "/logs"});
    for (const bool rebooted : {false, true}) {
        if (rebooted) job.machine.reboot();
        job.machine.writes.clear();
        const auto done = job.run();
        CHECK(done.reason == "layout-changed");
        CHECK(done.steps == 0);
        CHECK(job.machine.writes.empty());
    }
}

TEST_CASE("apply: a volume without a filesystem is read back, too") {
    Assembly job(2);
    job.layout.volumes[0].filesystem = Filesystem::none;
    job.machine.fault = Fault::lie;
    SECTION("when it is made") {}
    SECTION("when it is activated") {
        REQUIRE(job.run().message.empty());
        job.machine.reboot();
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.fault_at = job.machine.calls;
        const auto done = job.apply(*plan);
        CHECK(job.machine.called[static_cast<std::size_t>(job.machine.fault_at)] == "lvchange");
        CHECK(done.reason == "assembly-failed");
        CHECK_THAT(done.message, Catch::Contains("no node for the volume scratch"));
        return;
    }
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.meanwhile = [&](const std::string& call) {
        if (call == "lvcreate") job.machine.fault_at = job.machine.calls;
    };
    const auto done = job.apply(*plan);
    CHECK(job.machine.called[static_cast<std::size_t>(job.machine.fault_at)] == "lvcreate");
    CHECK(done.reason == "assembly-failed");
    CHECK_THAT(done.message, Catch::Contains("no node for the volume scratch"));
}

TEST_CASE("apply: LVM writes through nodes that udev does not watch") {
    Assembly job(2);
    CHECK(job.run().reason.empty());
    CHECK(job.machine.quiet == std::set<std::string>{"nvme1n1", "nvme2n1"});

    // Nothing to write: no node is made.
    job.machine.reboot();
    CHECK(job.run().reason.empty());
    CHECK(std::ranges::find(job.machine.called, "make_quiet_nodes") == job.machine.called.end());
}

TEST_CASE("apply: an LVM before 2.03.12 has the usual nodes") {
    Assembly job(2);
    job.lvm.version = "2.03.11";
    CHECK(job.run().reason.empty());
    CHECK(std::ranges::find(job.machine.called, "make_quiet_nodes") == job.machine.called.end());
}

namespace {

/// A person who takes the plan's commands to a shell has udev's nodes.
std::string with_udevs_nodes(std::string command) {
    const auto replace_all = [&](std::string_view from, std::string_view to) {
        for (auto at = command.find(from); at != std::string::npos; at = command.find(from))
            command.replace(at, from.size(), to);
    };
    replace_all(R"( scan=["/dev/.muster"] obtain_device_list_from_udev=0)", "");
    replace_all("/dev/.muster/", "/dev/");
    return command;
}

} // namespace

TEST_CASE("apply: what runs is what the plan showed") {
    for (const auto& layout : layouts()) {
        Assembly assembly(3);
        assembly.layout = layout;
        const auto plan = assembly.plan();
        REQUIRE(plan);
        Strings shown;
        for (const auto& step : plan->steps) {
            for (const auto& line : commands_of(*plan, step)) {
                if (std::holds_alternative<MountVolume>(step)) {
                    CHECK_THAT(line, Catch::StartsWith("mount -t "));
                } else {
                    constexpr std::string_view variable = "LVM_SYSTEM_DIR= ";
                    const auto tool = line.starts_with(variable) ? variable.size() : 0;
                    shown.push_back(line.substr(0, tool) + "/usr/sbin/" + line.substr(tool));
                }
            }
        }
        CHECK(assembly.apply(*plan).reason == "");
        Strings ran;
        for (auto command : assembly.lvm.ran) {
            if (!command.writes_disks) continue;
            // mkfs is given the kernel's own name of the node that was proved.
            if (command.argv.back().starts_with("/dev/dm-")) command.argv.back() = "NODE";
            ran.push_back(with_udevs_nodes(to_string(command)));
        }
        for (auto& line : shown) {
            if (line.find("/mkfs.") != line.npos) line = line.substr(0, line.rfind(' ')) + " NODE";
        }
        CHECK(ran == shown);
    }
    VolumeLayout volume{.name = "scratch", .options = {"noatime", "nodev"}};
    CHECK(commands_of({.group = "muster"}, MountVolume{volume}).at(0) ==
          "mount -t xfs -o noatime,nodev /dev/mapper/muster-scratch /mnt/scratch");
}

TEST_CASE("apply: a mount that hangs is the disks' fault only where the mount point answers") {
    for (const bool point_answers : {true, false}) {
        Assembly job(2);
        const auto plan = job.plan();
        REQUIRE(plan);
        job.before_step = [&](const std::string& step) {
            if (!step.starts_with("mount ")) return;
            job.machine.stuck_calls = {"mount /mnt/scratch"};
            if (!point_answers) job.machine.stuck_calls.insert("mount_point /mnt/scratch");
        };
        const auto done = job.apply(*plan);
        CHECK(done.reason == (point_answers ? "ephemeral-stuck" : "mount-failed"));
        job.machine.stuck_calls.clear();
        job.before_step = {};
        CHECK(job.run().message.empty());
        job.check_finished();
    }
}

TEST_CASE("apply: another program mounts the volume in between") {
    Assembly job(2);
    REQUIRE(job.run().message.empty());
    job.machine.reboot();
    const auto plan = job.plan();
    REQUIRE(plan);
    job.before_step = [&](const std::string& step) {
        if (!step.starts_with("mount ")) return;
        job.machine.groups[0].volumes[0].mounts = {"/mnt/scratch"};
        job.machine.refresh();
    };
    CHECK(job.apply(*plan).message.empty());
    job.before_step = {};
    job.check_finished();
}
