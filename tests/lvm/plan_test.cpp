#include "tests/lvm/situation.h"

using namespace muster;
using namespace muster::lvm;
using Catch::Contains;
using Catch::EndsWith;
using Lines = std::vector<std::string>;

TEST_CASE("plan: blank disks become a group, a volume, a filesystem and a mount") {
    Builder builder;
    builder.disks(2);
    CHECK(builder.steps() ==
          Lines{"create the volume group muster on /dev/nvme1n1, /dev/nvme2n1",
                "create the volume scratch of 100%FREE in muster, striped over 2 disks by 256 KiB",
                "make xfs on scratch", "mark scratch as finished",
                "mount scratch at /mnt/scratch"});
    const auto plan = builder.plan();
    CHECK(plan.instance_id == us);
    CHECK(plan.devices == Lines{"/dev/nvme1n1", "/dev/nvme2n1"});
    CHECK(plan.disks.size() == 2);
    CHECK(step<MakeFilesystem>(plan, 2).stripes == 2);
}

TEST_CASE("plan: no disks, nothing to do") {
    const auto plan = Builder().plan();
    CHECK(plan.steps.empty());
    CHECK(plan.refusals.empty());
}

TEST_CASE("plan: one disk, or a linear layout, has no stripes") {
    Builder one;
    one.disks(1);
    CHECK(one.steps()[1] == "create the volume scratch of 100%FREE in muster, linear");
    CHECK(step<MakeFilesystem>(one.plan(), 2).stripes == 1);
    Builder linear;
    linear.disks(3).layout().layout = Layout::linear;
    CHECK(linear.steps()[1] == "create the volume scratch of 100%FREE in muster, linear");
    CHECK(step<CreateVolume>(linear.plan(), 1).stripes == 1);
}

TEST_CASE("plan: sizes in percent and in bytes, several volumes, one without a filesystem") {
    Builder builder;
    builder.disks(4).now.layout.volumes = {
        {.name = "logs", .size = Percent{25}, .layout = Layout::linear, .mount = "/logs"},
        {.name = "raw",
         .size = std::uint64_t{10737418240},
         .filesystem = Filesystem::none,
         .mount = ""},
        {.name = "rest",
         .stripe_size = 64 << 10,
         .filesystem = Filesystem::ext4,
         .mount = "/rest"}};
    CHECK(builder.steps() ==
          Lines{"create the volume group muster on /dev/nvme1n1, /dev/nvme2n1, /dev/nvme3n1, "
                "/dev/nvme4n1",
                "create the volume logs of 25%VG in muster, linear", "make xfs on logs",
                "create the volume raw of 10737418240b in muster, striped over 4 disks by 256 KiB",
                "create the volume rest of 100%FREE in muster, striped over 4 disks by 64 KiB",
                "make ext4 on rest", "mark logs, raw, rest as finished", "mount logs at /logs",
                "mount rest at /rest"});
}

TEST_CASE("plan: a finished machine plans nothing") {
    Builder builder;
    builder.finished();
    CHECK(builder.steps() == Lines{});
    CHECK(builder.plan().notes.empty());
    CHECK(builder.plan().disks.size() == 2); // for the report
}

TEST_CASE("plan: a disk of the group is missing") {
    Builder builder;
    builder.labelled(2);
    auto& group = builder.group();
    builder.volume();
    SECTION("LVM says so") {
        group.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
    }
    SECTION("LVM sees it, but it is not one of the ephemeral disks") {
        group.physical.push_back({.name = "/dev/xvdz", .major = 202, .minor = 400});
    }
    builder.disks(1); // a blank one is no replacement
    const auto refusal = builder.refusal();
    CHECK(refusal.subject == "muster");
    CHECK(refusal.reason == "ephemeral-missing");
    CHECK_THAT(refusal.message, Contains("has 3 disks, of which 2 are here"));
}

TEST_CASE("plan: two groups of ours, or an exported one") {
    Builder builder;
    builder.finished();
    SECTION("exported") {
        builder.now.lvm.groups[0].exported = true;
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
        CHECK_THAT(builder.refusal().message, Contains("vgimport"));
    }
    SECTION("two") {
        builder.now.lvm.groups.push_back(builder.now.lvm.groups[0]);
        const auto plan = builder.plan();
        CHECK(plan.steps.empty());
        REQUIRE_FALSE(plan.refusals.empty());
        CHECK_THAT(plan.refusals[0].message, Contains("several volume groups are called muster"));
    }
}

TEST_CASE("plan: a spare blank disk beside a whole group is noted and left alone") {
    Builder builder;
    builder.finished().disks(1);
    CHECK(builder.steps() == Lines{});
    const auto plan = builder.plan();
    CHECK(plan.disks.size() == 2);
    CHECK(plan.devices == Lines{"/dev/nvme1n1", "/dev/nvme2n1"});
    REQUIRE(plan.notes.size() == 1);
    CHECK_THAT(plan.notes[0], Contains("/dev/nvme3n1 is not part of muster"));
}

TEST_CASE("plan: the device-mapper name is taken by somebody else") {
    Builder builder;
    builder.disks(2);
    auto& active = builder.active(carries_xfs);
    active.disks = {"xvdz"};
    CHECK(builder.refusal().subject == "muster-scratch");
    CHECK(builder.refusal().reason == "ephemeral-foreign-data");
    CHECK_THAT(builder.refusal().message, Contains("muster-scratch exists already, on xvdz"));
    active.disks = {}; // on nothing at all: stale, and not proved ours either
    CHECK(builder.refusal().subject == "muster-scratch");
    CHECK(builder.refusal().reason == "assembly-failed");
    // What an owner keeps on no disk at all is none of LVM's.
    active.mounts = {"/srv"};
    active.uuid = "SOMETHING-else";
    CHECK(builder.refusal().reason == "ephemeral-foreign-data");
    // Ours, partly on a disk that is not.
    Builder stray;
    stray.finished();
    stray.now.active.at("muster-scratch").disks.emplace_back("xvdz");
    CHECK(stray.refusal().subject == "muster-scratch");
}

TEST_CASE("plan: an owner's own volumes in our group stop nothing") {
    Builder builder;
    builder.finished();
    for (const char* name : {"snap", "pool", "pool-tpool", "copies_rimage_0"}) {
        auto& node = builder.active({}, {"/srv"}, std::string("muster-") + name);
        node.disks = {"nvme1n1"};
        CHECK(builder.steps() == Lines{});
    }
    builder.active({}, {}, "muster-sparse_vorigin").disks = {}; // LVM's target "zero"
    CHECK(builder.steps() == Lines{});
    SECTION("a stranger's beside them is refused") {
        builder.active({}, {}, "muster-stray").uuid = "LVM-another";
        CHECK(builder.refusal().subject == "muster-stray");
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
        CHECK_THAT(builder.refusal().message, Contains("is not ours"));
    }
    SECTION("so is one without a uuid") {
        builder.active({}, {}, "muster-stray").uuid = "";
        CHECK(builder.refusal().subject == "muster-stray");
    }
}

TEST_CASE("plan: a volume whose disks were taken from under it is told as that") {
    Builder builder;
    SECTION("its group is whole") {
        builder.finished();
        builder.now.active.at("muster-scratch").disks = {};
    }
    SECTION("its group is not there any more") {
        builder.disks(2);
        builder.active(carries_xfs, {"/mnt/scratch"});
    }
    CHECK(builder.refusal().subject == "muster-scratch");
    CHECK(builder.refusal().reason == "ephemeral-io-error");
    CHECK_THAT(builder.refusal().message,
               Contains("muster-scratch is mounted at /mnt/scratch, and the disks beneath it are "
                        "gone") &&
                   Contains("`dmsetup remove muster-scratch`"));
    builder.now.active.at("muster-scratch").mounts = {};
    CHECK(builder.refusal().reason == "assembly-failed");
    CHECK_THAT(builder.refusal().message, Contains("on nothing"));
}

TEST_CASE("plan: a disk of the group is missing, and may only be late") {
    Builder builder;
    builder.labelled(2).group().physical.push_back({.name = "[unknown]", .missing = true});
    builder.now.layout.on_partial = PartialGroup::rebuild;
    builder.now.may_be_late = true;
    const auto plan = builder.plan();
    CHECK(plan.wait_for_more);
    CHECK(plan.steps.empty());
    CHECK(builder.refusal().reason == "ephemeral-missing");
    // One that is here and can't be used is not one that will come.
    Builder stray;
    stray.labelled(2).group().physical.push_back({.name = "/dev/xvdz", .major = 202, .minor = 9});
    stray.now.may_be_late = true;
    CHECK_FALSE(stray.plan().wait_for_more);
}

TEST_CASE("plan: a group with a disk missing is rebuilt where the configuration says so") {
    Builder builder;
    builder.labelled(2);
    auto& group = builder.group();
    builder.volume();
    group.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
    builder.disks(1);
    builder.now.layout.on_partial = PartialGroup::rebuild;
    SECTION("with all disks that are here") {
        const auto steps = builder.steps();
        REQUIRE(steps.size() == 6);
        CHECK(steps[0] ==
              "give up what is left of the volume group muster: the volume group muster "
              "has 3 disks, of which 2 are here and usable (ephemeral.on_partial is "
              "\"rebuild\")");
        CHECK(steps[1] == "create the volume group muster on /dev/nvme1n1, /dev/nvme2n1, "
                          "/dev/nvme3n1");
        const auto plan = builder.plan();
        CHECK(plan.disks.size() == 3);
        const auto commands = commands_of(plan, plan.steps[0]);
        REQUIRE(commands.size() == 2);
        CHECK_THAT(commands[1], Contains("pvremove") && EndsWith("-- /dev/nvme1n1 /dev/nvme2n1"));
        CHECK_THAT(commands[0], Contains("vgremove") && Contains("/dev/nvme1n1,/dev/nvme2n1") &&
                                    Contains("--yes -- muster") && !Contains("nvme3n1"));
    }
    SECTION("not while one of its volumes is mounted") {
        builder.active(carries_xfs, {"/srv"});
        CHECK(builder.refusal().reason == "ephemeral-missing");
        CHECK_THAT(builder.refusal().message, Contains("/dev/dm-0 is mounted at /srv"));
    }
    SECTION("not with a volume of the owner's own, which may be whole") {
        builder.volume("theirs");
        CHECK(builder.steps().size() == 6); // one that muster made under an earlier configuration
        group.logical.back().tags = {"theirs"};
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
        CHECK_THAT(builder.refusal().message, Contains("its volume theirs is not muster's"));
        builder.now.elsewhere_unknown = true; // nor is a new machine advised then
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
    }
    SECTION("not where somebody took it away") {
        group.exported = true;
        CHECK(builder.refusal().reason == "ephemeral-missing");
    }
    SECTION("not where somebody has extended it to a disk that is not ephemeral") {
        builder.now.elsewhere = {{"/dev/nvme9n1", "muster"}};
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
        CHECK_THAT(builder.refusal().message, Contains("/dev/nvme9n1 belongs to it, too"));
    }
    SECTION("not where such a disk can't be read") {
        builder.now.elsewhere_unknown = true;
        CHECK(builder.refusal().reason == "ephemeral-missing");
    }
    SECTION("not where one of its disks can't be used") {
        builder.now.candidates[0].disk.read_only = true;
        CHECK(builder.plan().steps.empty());
        CHECK(builder.plan().refusals.size() == 2);
    }
}

TEST_CASE("plan: a disk of a group that was given up comes back beside the new one") {
    Builder builder;
    builder.finished().labelled(1);
    const auto& ours = builder.now.lvm.groups[0];
    VolumeGroup old{.name = ours.name, .uuid = "old", .tags = ours.tags};
    old.physical.push_back({.name = "/dev/nvme3n1", .major = 259, .minor = 3, .in_use = true});
    old.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
    builder.now.lvm.groups.push_back(old);
    builder.now.layout.on_foreign_data = ForeignData::wipe; // not even then
    CHECK(builder.steps() == Lines{});
    const auto plan = builder.plan();
    CHECK(plan.devices == Lines{"/dev/nvme1n1", "/dev/nvme2n1"});
    REQUIRE(plan.notes.size() == 1);
    CHECK_THAT(plan.notes[0], Contains("/dev/nvme3n1 is not part of muster"));
}

TEST_CASE("plan: the group's name is taken where LVM is not let look") {
    Builder builder;
    builder.disks(2);
    SECTION("on another disk") {
        builder.now.elsewhere = {{"/dev/nvme9n1p2", "data"}, {"/dev/nvme9n1p3", "muster"}};
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
        CHECK_THAT(builder.refusal().message,
                   Contains("muster exists already, on /dev/nvme9n1p3, which is not ephemeral"));
    }
    SECTION("by a folder") {
        builder.now.group_folder = true;
        CHECK(builder.refusal().reason == "assembly-failed");
        CHECK_THAT(builder.refusal().message, Contains("`rm -r /dev/muster`"));
    }
    SECTION("by a node whose group is gone") {
        builder.active(carries_xfs).disks = {"nvme1n1", "nvme2n1"};
        for (auto& candidate : builder.now.candidates)
            candidate.disk.holders = {"dm-0"};
        builder.now.group_folder = true; // its links: said once
        CHECK(builder.refusal().reason == "assembly-failed");
        CHECK_THAT(builder.refusal().message, Contains("`dmsetup remove muster-scratch`"));
    }
    SECTION("by nobody") {
        builder.now.elsewhere = {{"/dev/nvme9n1p2", "data"}};
        CHECK(builder.steps().size() == 5);
    }
}

TEST_CASE("plan: disks of different sizes are used, and what striping leaves is said") {
    Builder builder;
    builder.disks(2);
    builder.now.candidates[1].disk.size *= 2;
    CHECK(builder.steps().size() == 5);
    REQUIRE(builder.plan().notes.size() == 1);
    CHECK_THAT(builder.plan().notes[0], Contains("the disks differ in size (/dev/nvme1n1 has"));
    builder.layout().layout = Layout::linear;
    CHECK(builder.plan().notes.empty());
}

TEST_CASE("plan: a stranger's group over several disks is marked before it is wiped") {
    Builder builder;
    builder.labelled(2).now.layout.on_foreign_data = ForeignData::wipe;
    auto& group = builder.group("data", {});
    const auto steps = builder.steps();
    REQUIRE(steps.size() == 8);
    CHECK(steps[0] ==
          "mark the volume group data on /dev/nvme1n1, /dev/nvme2n1 as one to be wiped");
    CHECK(steps[1].starts_with("wipe /dev/nvme1n1"));
    SECTION("once is enough, and then what is left of it may go") {
        group.tags = {wipe_tag(us)};
        CHECK(builder.steps().size() == 7);
        group.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
        CHECK(builder.steps().size() == 7);
        group.tags = {wipe_tag("i-0def")};
        CHECK(builder.plan().refusals.size() == 2);
        group.tags = {wipe_tag(us)};
        builder.now.layout.on_foreign_data = ForeignData::refuse;
        CHECK(builder.plan().refusals.size() == 2);
    }
    SECTION("one on a single disk needs no mark") {
        group.physical.pop_back();
        builder.now.candidates.pop_back();
        CHECK(builder.steps()[0].starts_with("wipe /dev/nvme1n1"));
    }
}

TEST_CASE("plan: what may go is wiped first, each disk with what is on it and what permits that") {
    Builder builder;
    builder.disks(1).disks(1, {.signatures = {signature("xfs", "precious")}});
    builder.now.candidates[1].disk.partitions = {"nvme2n1p1"};
    builder.now.layout.on_foreign_data = ForeignData::wipe;
    const auto steps = builder.steps();
    REQUIRE(steps.size() == 6);
    CHECK(steps[0] == "wipe /dev/nvme2n1: /dev/nvme2n1 is partitioned (nvme2n1p1): found xfs "
                      "\"precious\" at offset 0 (ephemeral.on_foreign_data is \"wipe\")");
    const auto plan = builder.plan();
    CHECK(commands_of(plan, plan.steps[0]) ==
          Lines{"blkdiscard --zeroout --offset 1072693248 --length 1048576 /dev/nvme2n1",
                "blkdiscard --zeroout --offset 4096 --length 2093056 /dev/nvme2n1",
                "blkdiscard --zeroout --offset 0 --length 4096 /dev/nvme2n1",
                "blockdev --rereadpt /dev/nvme2n1"});
}
