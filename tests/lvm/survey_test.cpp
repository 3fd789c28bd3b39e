#include "lvm/survey.h"
#include "tests/catch.h"
#include "tests/fakes/fake_lvm.h"

using namespace muster;
using namespace muster::lvm;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

namespace {

struct Survey {
    FakeMachine machine;
    FakeLvm lvm{machine};
    GroupLayout layout{.volumes = {VolumeLayout{.name = "scratch"}}};

    std::expected<Situation, Failure> look() {
        Inventory inventory;
        for (const auto& [name, disk] : machine.disks) {
            const Disk seen{.name = name,
                            .node = "/dev/" + name,
                            .major = disk.spec.number.major,
                            .minor = disk.spec.number.minor,
                            .partitions = disk.partitions,
                            .holders = disk.holders};
            if (disk.spec.model == "Amazon Elastic Block Store") {
                inventory.others.push_back(seen);
            } else {
                inventory.ephemeral.push_back({seen, "because"});
            }
        }
        const Machine world{machine.sysfs.files(), machine, lvm, machine.clock};
        const auto deadline = Deadline::in(machine.clock, 300s);
        Scout scout(world, deadline);
        return survey(world, scout, inventory, layout, "i-0abc", deadline);
    }
    Situation found() {
        auto situation = look();
        if (!situation) FAIL(situation.error().reason << ": " << situation.error().message);
        return *situation;
    }
    void assemble(const std::string& name, bool active = true) {
        auto& group =
            lvm.make_group(name, {"muster", "muster.instance=i-0abc"}, {"nvme1n1", "nvme2n1"});
        group.volumes.push_back({.name = "scratch", .uuid = "u-u", .extents = 100, .stripes = 2});
        if (active) group.volumes[0].minor = 3;
        group.volumes[0].content = {.signatures = {{"xfs", "filesystem", "", "", 0}}};
        machine.refresh();
    }
};

struct Two : Survey {
    Two() {
        machine.add_nvme(1);
        machine.add_nvme(2);
    }
};

} // namespace

TEST_CASE("survey: blank disks: LVM is asked no more than what version it is") {
    Two machine;
    const auto situation = machine.found();
    REQUIRE(machine.lvm.ran.size() == 1);
    CHECK(machine.lvm.ran[0].argv == Strings{"/usr/sbin/lvm", "version"});
    REQUIRE(situation.lvm_tool);
    CHECK_FALSE(situation.lvm_tool->old);
    CHECK(situation.instance_id == "i-0abc");
    REQUIRE(situation.candidates.size() == 2);
    CHECK(situation.candidates[1].disk.name == "nvme2n1");
    CHECK(situation.candidates[1].content.zeroed);
    CHECK(situation.candidates[1].evidence == "because");
    CHECK(situation.active.empty());
    CHECK(machine.machine.writes.empty());
}

TEST_CASE("survey: LVM is asked of labelled disks alone") {
    Two machine;
    machine.lvm.label("nvme2n1");
    const auto situation = machine.found();
    REQUIRE(machine.lvm.ran.size() == 2);
    CHECK(machine.lvm.ran[0].argv[1] == "version");
    const auto& argv = machine.lvm.ran[1].argv;
    CHECK(std::ranges::find(argv, "/dev/nvme2n1") != argv.end());
    REQUIRE(situation.lvm.orphans.size() == 1);
    CHECK(situation.lvm.orphans[0].minor == 2);
}

TEST_CASE("survey: a group with its active volume and its mounts") {
    Two machine;
    machine.assemble("muster");
    machine.machine.groups[0].volumes[0].mounts = {"/mnt/scratch", "/bind"};
    machine.machine.refresh();
    const auto situation = machine.found();
    REQUIRE(situation.lvm.groups.size() == 1);
    CHECK(situation.lvm.groups[0].logical[0].active);
    REQUIRE(situation.active.size() == 1);
    const auto& active = situation.active.at("muster-scratch");
    CHECK(active.node == "/dev/dm-3");
    CHECK(active.number == DeviceNumber{254, 3});
    CHECK(active.disks == Strings{"nvme1n1", "nvme2n1"});
    CHECK(active.size == 100 * (4 << 20));
    CHECK(active.mounts == Strings{"/mnt/scratch", "/bind"});
    CHECK(active.content.signatures.size() == 1);
    CHECK(situation.mounted_on.empty());
}

TEST_CASE("survey: \"muster-x\" is another group than \"muster\"") {
    for (const char* name : {"muster--x", "muste", "muster2"}) { // as device-mapper writes them
        Two machine;
        machine.assemble(name);
        machine.machine.groups[0].tags.clear();
        CHECK(machine.found().active.empty());
        // One of ours is known by its uuid: the configuration may have another name now.
        machine.machine.groups[0].tags = {"muster", "muster.instance=i-0abc"};
        CHECK(machine.found().active.size() == 1);
    }
}

TEST_CASE(
    "survey: through LVM's own layers down to the disks, and what is an owner's is not read") {
    Two machine;
    machine.assemble("muster");
    auto& volumes = machine.machine.groups[0].volumes;
    volumes.push_back({.name = "scratch-real", .uuid = "u-u-real", .minor = 4, .hidden = true});
    volumes.push_back({.name = "snap-cow", .uuid = "s-cow", .minor = 5, .hidden = true});
    volumes.push_back(
        {.name = "snap", .uuid = "s", .minor = 6, .over = {"scratch-real", "snap-cow"}});
    volumes[0].over = {"scratch-real"};
    machine.machine.refresh();
    const auto now = machine.found();
    CHECK(now.active.size() == 4);
    for (const char* name : {"muster-scratch", "muster-snap", "muster-snap-cow"})
        CHECK(now.active.at(name).disks == Strings{"nvme1n1", "nvme2n1"});
    CHECK(now.active.at("muster-scratch").content.signatures.size() == 1);
    for (const char* node : {"content /dev/dm-4", "content /dev/dm-5", "content /dev/dm-6"})
        CHECK(std::ranges::count(machine.machine.called, node) == 0);

    SECTION("a layer of another group is none: it is told as what the node lies on") {
        machine.machine.sysfs.put("/sys/block/dm-4/dm/uuid", "LVM-another\n");
        CHECK(machine.found().active.at("muster-scratch").disks == Strings{"dm-4"});
    }
    SECTION("layers that lie on each other come to an end") {
        volumes[1].over = {"scratch"};
        machine.machine.refresh();
        CHECK(machine.found().active.at("muster-scratch").disks.empty());
    }
    SECTION("a node that vanishes meanwhile is none") {
        machine.machine.sysfs.drop("/sys/block/dm-6/dm/name");
        CHECK_FALSE(machine.look());
        machine.machine.sysfs.drop("/sys/block/dm-6");
        machine.machine.sysfs.folder("/sys/block/dm-9");
        machine.machine.sysfs.drop("/sys/block/dm-9");
        CHECK(machine.found().active.size() == 3);
    }
    SECTION("a disk was taken from under it: the kernel's link stays, and leads nowhere") {
        auto& sysfs = machine.machine.sysfs;
        sysfs.link("/sys/block/dm-4/slaves/nvme2n1", "../../../../gone/nvme2n1");
        CHECK(machine.found().active.at("muster-scratch").disks == Strings{"nvme1n1"});
    }
    SECTION("all disks were taken from under it") {
        volumes[0].over.clear();
        volumes[0].bare = true;
        machine.machine.refresh();
        CHECK(machine.found().active.at("muster-scratch").disks.empty());
    }
}

TEST_CASE("survey: what is mounted where our volume should be") {
    Two machine;
    machine.assemble("muster");
    auto& mounts = machine.machine.groups[0].volumes[0].mounts;
    SECTION("nothing") {}
    SECTION("ours") {
        mounts = {"/mnt/scratch"};
    }
    SECTION("ours over another one") {
        machine.machine.refresh();
        machine.machine.sysfs.forget_mounts();
        machine.machine.sysfs.mount({0, 77}, "/mnt/scratch");
        machine.machine.sysfs.mount({254, 3}, "/mnt/scratch");
        CHECK(machine.found().mounted_on.empty());
        return;
    }
    SECTION("another one over ours") {
        mounts = {"/mnt/scratch"};
        machine.machine.other_mounts = {{{0, 77}, "/mnt/scratch"}};
        machine.machine.refresh();
        CHECK(machine.found().mounted_on.size() == 1);
        return;
    }
    SECTION("another one") {
        machine.machine.other_mounts = {{{0, 77}, "/mnt/scratch"}};
        machine.machine.refresh();
        CHECK(machine.found().mounted_on ==
              std::map<std::string, std::string>{{"/mnt/scratch", "/dev/root"}});
        return;
    }
    machine.machine.refresh();
    CHECK(machine.found().mounted_on.empty());
}

TEST_CASE("survey: mount points behind links, hidden ones, automounts") {
    Two machine;
    machine.assemble("muster");
    machine.machine.folder_links = {{"/mnt", "/var/mnt"}};
    auto& mounts = machine.machine.groups[0].volumes[0].mounts;
    const auto ours = [&] {
        const auto situation = machine.found();
        CHECK(situation.mounted_on.empty());
        CHECK(situation.points.at("/mnt/scratch").path == "/var/mnt/scratch");
        return situation.active.at("muster-scratch").mounts;
    };
    SECTION("ours, behind a link") {
        mounts = {"/var/mnt/scratch"};
        machine.machine.refresh();
        CHECK(ours() == Strings{"/var/mnt/scratch"});
    }
    SECTION("an automount waits there") {
        machine.machine.sysfs.mount({0, 77}, "/var/mnt/scratch", "rw", "/", "autofs",
                                    "rw,fd=29,direct");
        CHECK(ours().empty());
        machine.machine.sysfs.mount({254, 3}, "/var/mnt/scratch");
        CHECK(ours() == Strings{"/var/mnt/scratch"});
    }
    SECTION("a map of automounts is another program's mount") {
        machine.machine.sysfs.mount({0, 77}, "/var/mnt/scratch", "rw", "/", "autofs",
                                    "rw,fd=29,indirect");
        CHECK(machine.found().mounted_on.contains("/mnt/scratch"));
    }
    SECTION("a folder of ours, bound there, is not the volume") {
        machine.machine.sysfs.mount({254, 3}, "/var/mnt/scratch", "rw", "/folder");
        CHECK(machine.found().mounted_on.contains("/mnt/scratch"));
    }
    SECTION("it can't be told") {
        for (const auto fault : {Fault::error, Fault::stuck, Fault::garbage}) {
            machine.machine.called.clear();
            machine.machine.fault_at = -1;
            (void)machine.found();
            const auto& called = machine.machine.called;
            const auto at = std::ranges::find(called, "mount_point /mnt/scratch") - called.begin();
            REQUIRE(at < std::ssize(called));
            machine.machine.calls = 0;
            machine.machine.fault_at = static_cast<int>(at);
            machine.machine.fault = fault;
            CHECK_FALSE(machine.found().points.at("/mnt/scratch").problem.empty());
        }
    }
}

TEST_CASE("survey: every failed look has its reason") {
    struct Row {
        const char* call;
        Fault fault;
        const char* reason;
    };
    const Row rows[] = {
        {"content /dev/nvme1n1", Fault::stuck, "ephemeral-stuck"},
        {"content /dev/nvme1n1", Fault::error, "ephemeral-io-error"},
        {"content /dev/nvme1n1", Fault::garbage, "cannot-tell"},
        {"content /dev/dm-3", Fault::stuck, "ephemeral-stuck"},
        {"content /dev/dm-3", Fault::error, "ephemeral-io-error"},
        {"block_device /dev/dm-3", Fault::error, "cannot-tell"},
        {"fullreport", Fault::stuck, "ephemeral-stuck"},
        {"fullreport", Fault::error, "assembly-failed"},
        {"fullreport", Fault::garbage, "assembly-failed"},
        {"fullreport", Fault::half, "assembly-failed"},
        {"fullreport", Fault::lie, "assembly-failed"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.call, row.reason);
        Two machine;
        machine.assemble("muster");
        REQUIRE(machine.look());
        const auto& called = machine.machine.called;
        const auto at = std::ranges::find(called, row.call);
        REQUIRE(at != called.end());
        machine.machine.fault_at = static_cast<int>(at - called.begin());
        machine.machine.fault = row.fault;
        machine.machine.calls = 0;
        const auto start = machine.machine.clock.elapsed();
        const auto situation = machine.look();
        REQUIRE_FALSE(situation);
        CHECK(situation.error().reason == row.reason);
        CHECK_FALSE(situation.error().message.empty());
        CHECK(machine.machine.clock.elapsed() - start <= 60s);
        CHECK(machine.machine.writes.empty());
    }
}

TEST_CASE("survey: sysfs that can't be read is unknown") {
    Two machine;
    machine.assemble("muster");
    auto& sysfs = machine.machine.sysfs;
    SECTION("no name") {
        sysfs.drop("/sys/block/dm-3/dm/name");
    }
    SECTION("no uuid") {
        sysfs.drop("/sys/block/dm-3/dm/uuid");
    }
    SECTION("no size") {
        sysfs.drop("/sys/block/dm-3/size");
    }
    SECTION("a size that is none") {
        sysfs.put("/sys/block/dm-3/size", "many\n");
    }
    SECTION("no slaves") {
        sysfs.drop("/sys/block/dm-3/slaves");
    }
    SECTION("mountinfo") {
        sysfs.put("/proc/self/mountinfo", "garbage\n");
    }
    const auto situation = machine.look();
    REQUIRE_FALSE(situation);
    CHECK(situation.error().reason == "cannot-tell");
}

TEST_CASE("survey: a labelled disk, and no lvm to ask") {
    Two machine;
    machine.machine.sysfs.drop("/usr/sbin/lvm");
    CHECK(machine.look());
    machine.lvm.label("nvme1n1");
    const auto situation = machine.look();
    REQUIRE_FALSE(situation);
    CHECK(situation.error().reason == "tool-missing");
}

TEST_CASE("survey: an old LVM is known by its version") {
    Two machine;
    machine.lvm.version = "2.03.11";
    CHECK(machine.found().lvm_tool->old);
    machine.assemble("muster", false);
    machine.lvm.ran.clear();
    const auto situation = machine.found();
    CHECK(situation.lvm_tool->old);
    CHECK(situation.lvm.groups.size() == 1);
    CHECK(machine.lvm.ran.size() == 2);
}

TEST_CASE("survey: LVM's own lock is waited for, and not for ever") {
    Two machine;
    machine.assemble("muster", false);
    SECTION("for a while") {
        machine.lvm.locked_until = machine.machine.clock.now() + 5s;
        CHECK(machine.found().lvm.groups.size() == 1);
        CHECK(machine.machine.clock.elapsed() >= 5s);
        CHECK(machine.machine.clock.elapsed() < 6s);
    }
    SECTION("for ever") {
        machine.lvm.locked_until = machine.machine.clock.now() + 1h;
        const auto failure = machine.look();
        REQUIRE_FALSE(failure);
        CHECK(failure.error().reason == "assembly-failed");
        CHECK_THAT(failure.error().message, Catch::Contains("Can't get lock for muster"));
        CHECK(machine.machine.clock.elapsed() < 62s);
    }
}

TEST_CASE("survey: groups on disks that are not ephemeral, where a new one is to be made") {
    Two machine;
    machine.machine.add({.name = "nvme9n1",
                         .number = {259, 90},
                         .model = "Amazon Elastic Block Store",
                         .serial = "vol1"});
    machine.lvm.make_group("muster", {}, {"nvme9n1"});
    SECTION("seen") {
        const auto situation = machine.found();
        REQUIRE(situation.elsewhere.size() == 1);
        CHECK(situation.elsewhere[0].node == "/dev/nvme9n1");
        CHECK(situation.elsewhere[0].name == "muster");
        CHECK(situation.notes.empty());
    }
    SECTION("on what is stacked on such disks, too") {
        machine.machine.sysfs.put("/sys/block/md0/size", "1\n");
        machine.machine.sysfs.put("/sys/block/dm-7/dm/name", "crypt\n");
        machine.machine.sysfs.put("/sys/block/dm-7/dm/uuid", "CRYPT-LUKS2-0-crypt\n");
        (void)machine.found();
        for (const char* node : {"md0", "dm-7"}) {
            const auto asked = std::string("volume_group /dev/") + node;
            CHECK(std::ranges::find(machine.machine.called, asked) != machine.machine.called.end());
        }
    }
    SECTION("one that can't be read is a note, in time") {
        machine.machine.meanwhile = [&](const std::string& call) {
            if (call == "volume_group /dev/nvme9n1")
                machine.machine.fault_at = machine.machine.calls;
        };
        machine.machine.fault = Fault::stuck;
        const auto situation = machine.found();
        CHECK(situation.elsewhere.empty());
        REQUIRE(situation.notes.size() == 1);
        CHECK_THAT(situation.notes[0],
                   Catch::Contains("cannot determine whether /dev/nvme9n1 has a "
                                   "volume group called muster: "));
        CHECK(machine.machine.clock.elapsed() <= 2s);
    }
    SECTION("a machine that is whole does not look") {
        machine.lvm.make_group("muster", {"muster", "muster.instance=i-0abc"},
                               {"nvme1n1", "nvme2n1"});
        CHECK(machine.found().elsewhere.empty());
    }
}

TEST_CASE("survey: metadata that are damaged on one disk, or on each") {
    Two machine;
    machine.lvm.make_group("muster", {"muster", "muster.instance=i-0abc"}, {"nvme1n1", "nvme2n1"});
    machine.machine.disks.at("nvme1n1").damaged = true;
    CHECK(machine.found().lvm.groups.size() == 1);
    CHECK(machine.found().lvm.orphans.empty());
    machine.machine.disks.at("nvme2n1").damaged = true;
    CHECK(machine.found().lvm.groups.empty());
    CHECK(machine.found().lvm.orphans.size() == 2);
}
