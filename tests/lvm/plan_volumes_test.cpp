// What the plan makes of the group's volumes, their filesystems and mount points.
#include "tests/lvm/situation.h"

using namespace muster;
using namespace muster::lvm;
using Catch::Contains;
using Lines = std::vector<std::string>;

TEST_CASE("plan: ours, after a reboot: activate, look, mount") {
    Builder builder;
    builder.labelled(2).group();
    builder.volume("scratch", 2);
    CHECK(builder.steps() == Lines{"activate the volume group muster",
                                   "check that scratch carries xfs",
                                   "mount scratch at /mnt/scratch"});
    CHECK(step<ActivateGroup>(builder.plan(), 0).volumes == Lines{"scratch"});
}

TEST_CASE("plan: ours, half made") {
    Builder builder;
    builder.labelled(2).group();
    SECTION("no volume yet") {
        CHECK(builder.steps() == Lines{"create the volume scratch of 100%FREE in muster, striped "
                                       "over 2 disks by 256 KiB",
                                       "make xfs on scratch", "mark scratch as finished",
                                       "mount scratch at /mnt/scratch"});
    }
    SECTION("not mounted") {
        builder.volume();
        builder.active(carries_xfs, {"/elsewhere"});
        CHECK(builder.steps() == Lines{"mount scratch at /mnt/scratch"});
    }
    SECTION("a volume of the layout is new, another is inactive") {
        builder.volume();
        builder.now.layout.volumes.push_back({.name = "new", .mount = "/new"});
        const auto steps = builder.steps();
        REQUIRE(steps.size() == 7);
        CHECK(steps[0] == "activate the volume group muster");
        CHECK(steps[2] == "create the volume new of 100%FREE in muster, striped over 2 disks by "
                          "256 KiB");
        CHECK(step<ActivateGroup>(builder.plan(), 0).volumes == Lines{"scratch"});
    }
}

TEST_CASE("plan: a volume without a filesystem is only activated") {
    Builder builder;
    builder.labelled(1).group();
    builder.volume();
    builder.layout().filesystem = Filesystem::none;
    CHECK(builder.steps() == Lines{"activate the volume group muster"});
    builder.active({});
    CHECK(builder.steps() == Lines{});
}

TEST_CASE("plan: an unfinished volume is made anew, whatever lies on it") {
    const Lines anew{"remove the volume scratch from muster: it was never finished",
                     "create the volume scratch of 100%FREE in muster, striped over 2 disks by "
                     "256 KiB",
                     "make xfs on scratch", "mark scratch as finished",
                     "mount scratch at /mnt/scratch"};
    Builder builder;
    builder.labelled(2).group();
    for (const auto made_for : {Filesystem::xfs, Filesystem::ext4, Filesystem::none}) {
        builder.now.lvm.groups.back().logical.clear();
        builder.volume("scratch", 1, made_for).unfinished();
        CHECK(builder.steps() == anew);
    }
    SECTION("active") {
        auto& volume = builder.active({.zeroed = true});
        for (const auto& content :
             {DiskContent{}, carries_xfs, DiskContent{.signatures = {signature("swap")}}}) {
            volume.content = content;
            CHECK(builder.steps() == anew);
        }
    }
    SECTION("but not while it is mounted") {
        builder.active(carries_xfs, {"/srv"});
        CHECK(builder.refusal().reason == "mount-failed");
        CHECK_THAT(builder.refusal().message, Contains("is mounted at /srv"));
    }
    SECTION("a finished one beside it stays") {
        builder.volume("kept").now.layout.volumes.push_back({.name = "kept", .mount = "/kept"});
        const auto steps = builder.steps();
        REQUIRE(steps.size() == 8);
        CHECK(steps[0] == anew[0]);
        CHECK(steps[1] == "activate the volume group muster");
        CHECK(step<ActivateGroup>(builder.plan(), 1).volumes == Lines{"kept"});
        CHECK(steps[4] == "check that kept carries xfs");
        CHECK(steps[5] == "mark scratch as finished");
    }
    SECTION("one that the configuration does not have stays, too") {
        builder.layout().name = "other";
        CHECK(builder.steps()[0] == "create the volume other of 100%FREE in muster, striped over "
                                    "2 disks by 256 KiB");
    }
}

TEST_CASE("plan: a finished volume without its filesystem: nothing is formatted over it") {
    struct Row {
        DiskContent content;
        const char* reason;
        const char* says;
    };
    for (const auto made_for : {Filesystem::xfs, Filesystem::none}) {
        for (const auto& [content, reason, says] :
             {Row{{.signatures = {signature("ext4", "data", 1080)}},
                  "mount-failed",
                  "ext4 \"data\" at offset 1080"},
              Row{{.signatures = {signature("swap")}}, "mount-failed", "swap"},
              Row{{.signatures = {signature("xfs", "", 4096)}}, "mount-failed", "xfs at offset"},
              Row{{.zeroed = true}, "assembly-failed", "no filesystem"},
              Row{{}, "assembly-failed", "no filesystem"}}) {
            Builder builder;
            builder.labelled(2).group();
            builder.volume("scratch", 2, made_for);
            builder.active(content);
            const auto refusal = builder.refusal();
            CHECK(refusal.subject == "scratch");
            CHECK(refusal.reason == reason);
            CHECK_THAT(refusal.message, Contains(says) && Contains("wants xfs") &&
                                            Contains("`lvremove muster/scratch`"));
        }
    }
}

TEST_CASE("plan: the filesystem where it belongs suffices, whatever stands beside it") {
    Builder builder;
    builder.labelled(2).group();
    builder.volume();
    const Signature md{"linux_raid_member", "raid", "", "", 1000 << 20};
    auto& volume = builder.active({.signatures = {md, signature("xfs")}});
    CHECK(builder.steps() == Lines{"mount scratch at /mnt/scratch"});
    builder.layout().filesystem = Filesystem::ext4;
    volume.content = {.signatures = {signature("ext4", "", 1080), md}};
    CHECK(builder.steps() == Lines{"mount scratch at /mnt/scratch"});
}

TEST_CASE("plan: the mount point is taken") {
    Builder builder;
    SECTION("before anything is made") {
        builder.disks(2);
    }
    SECTION("and ours is not mounted") {
        builder.labelled(2).group();
        builder.volume();
        builder.active(carries_xfs);
    }
    SECTION("over ours, which is out of sight now") {
        builder.finished();
    }
    builder.now.mounted_on["/mnt/scratch"] = "tmpfs";
    const auto refusal = builder.refusal();
    CHECK(refusal.subject == "/mnt/scratch");
    CHECK(refusal.reason == "mount-failed");
    CHECK_THAT(refusal.message, Contains("tmpfs is mounted at /mnt/scratch already"));
}

TEST_CASE("plan: a mount point behind a link") {
    Builder builder;
    builder.labelled(2).group();
    builder.volume();
    builder.active(carries_xfs, {"/var/mnt/scratch"});
    builder.now.points["/mnt/scratch"] = {.path = "/var/mnt/scratch", .problem = "", .entries = {}};
    CHECK(builder.steps().empty());
    builder.now.points["/mnt/scratch"].path = "/srv/scratch"; // the link is another one now
    CHECK(builder.steps() == Lines{"mount scratch at /mnt/scratch"});
}

TEST_CASE("plan: a mount point that can't be told where it leads") {
    Builder builder;
    SECTION("before anything is made") {
        builder.disks(2);
    }
    SECTION("though all else is done") {
        builder.finished();
    }
    builder.now.points["/mnt/scratch"] = {
        .path = "/mnt/scratch", .problem = "/mnt is a link", .entries = {}};
    const auto refusal = builder.refusal();
    CHECK(refusal.subject == "/mnt/scratch");
    CHECK(refusal.reason == "mount-failed");
    CHECK(refusal.message == "/mnt is a link");
}

TEST_CASE("plan: what a mount hides is told, and is no obstacle") {
    Builder builder;
    builder.disks(2);
    builder.now.points["/mnt/scratch"] = {
        .path = "/mnt/scratch", .problem = "", .entries = {"a", "b"}};
    CHECK(builder.steps().size() == 5);
    const auto plan = builder.plan();
    REQUIRE(plan.warnings.size() == 1);
    CHECK(plan.warnings[0].message ==
          "/mnt/scratch is not empty: the mount hides what is there (a, b)");
    CHECK(plan.notes == Lines{plan.warnings[0].message});
}
