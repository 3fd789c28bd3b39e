// What changed since the plan was made is seen before the step that would destroy it.
#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;
using namespace std::chrono_literals;

TEST_CASE("plan: a program that has a disk open") {
    Assembly job(2);
    auto& disk = job.machine.disks.at("nvme2n1");
    job.layout.on_foreign_data = ForeignData::wipe;
    const DiskContent ext4{.signatures = {{"ext4", "filesystem", "", "", 1080}}};
    const auto refusals = [&] {
        const auto plan = job.plan();
        REQUIRE(plan);
        return plan->refusals;
    };
    SECTION("for writing, be the disk blank") {
        disk.openers = {{.pid = 7, .program = "dd", .writes = true}};
        const auto found = refusals();
        REQUIRE(found.size() == 1);
        CHECK(found[0].subject == "nvme2n1");
        CHECK(found[0].reason == "ephemeral-foreign-data");
        CHECK_THAT(found[0].message,
                   Catch::StartsWith("/dev/nvme2n1 is held open by dd (pid 7); "));
        CHECK(job.machine.clock.elapsed() >= 10s);
    }
    SECTION("for reading, where something is to be read") {
        disk.openers = {{.pid = 7, .program = "dd"}};
        CHECK(refusals().empty());
        CHECK(job.machine.clock.elapsed() == 0s);
        disk.content = ext4;
        CHECK(refusals().size() == 1);
    }
    SECTION("a partition of it") {
        disk.content = ext4;
        job.machine.add_partition("nvme2n1", "nvme2n1p1", {259, 77});
        disk.openers = {{.device = {259, 77}, .pid = 7, .program = "dd"}};
        CHECK(refusals().size() == 1);
    }
    SECTION("for a moment, as udev does") {
        disk.openers = {{.pid = 7, .program = "(udev-worker)", .writes = true}};
        int looks = 0;
        job.machine.meanwhile = [&](const std::string& call) {
            if (call == "openers" && ++looks == 3) disk.openers.clear();
        };
        CHECK(refusals().empty());
        CHECK(looks == 3);
    }
    SECTION("of our own whole group: nothing is to be written") {
        REQUIRE(job.run().message.empty());
        disk.openers = {{.pid = 7, .program = "dd", .writes = true}};
        job.check_finished();
    }
    SECTION("which can't be seen") {
        job.machine.unseen = 3;
        const auto plan = job.plan();
        REQUIRE(plan);
        REQUIRE(plan->notes.size() == 1);
        CHECK_THAT(plan->notes[0], Catch::StartsWith("the open descriptors of 3 processes"));
        CHECK(plan->refusals.empty());
    }
}

TEST_CASE("apply: what came onto a disk since the plan is seen before vgcreate") {
    const DiskContent ext4{.signatures = {{"ext4", "filesystem", "", "", 1080}}};
    for (const auto& [came, says] :
         {std::pair{ext4, "/dev/nvme2n1 has got ext4 at offset 1080 since the plan"},
          {DiskContent{}, "/dev/nvme2n1 has got data without a signature since the plan"},
          {DiskContent{.signatures = {{"LVM2_member", "raid"}}},
           "/dev/nvme2n1 has got LVM2_member"}}) {
        CAPTURE(says);
        Assembly job(2);
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.disks.at("nvme2n1").content = came;
        const auto done = job.apply(*plan);
        CHECK(done.reason == "ephemeral-foreign-data");
        CHECK_THAT(done.message, Catch::Contains(says) && Catch::EndsWith("nothing was written"));
        CHECK(job.machine.writes.empty());
    }
}

TEST_CASE("apply: who uses a disk since the plan is seen before vgcreate") {
    Assembly job(2);
    const auto plan = job.plan();
    REQUIRE(plan);
    auto& disk = job.machine.disks.at("nvme2n1");
    SECTION("claimed") {
        disk.claimed = true;
        CHECK_THAT(job.apply(*plan).message,
                   Catch::Contains("/dev/nvme2n1 has come into use since"));
    }
    SECTION("open for writing") {
        disk.openers = {{.pid = 7, .program = "dd", .writes = true}};
        const auto done = job.apply(*plan);
        CHECK(done.reason == "ephemeral-foreign-data");
        CHECK_THAT(done.message,
                   Catch::Contains("/dev/nvme2n1 is held open by dd (pid 7); nothing"));
    }
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk that the plan has wiped must be empty when vgcreate comes") {
    Assembly job(2);
    job.layout.on_foreign_data = ForeignData::wipe;
    job.machine.disks.at("nvme1n1").content = {};
    job.before_step = [&](const std::string& step) {
        if (step.starts_with("create the volume group"))
            job.machine.disks.at("nvme1n1").content = {};
    };
    const auto done = job.run();
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::Contains("/dev/nvme1n1 has got data without a signature") &&
                                 Catch::EndsWith("this step was not taken"));
    CHECK(job.machine.groups.empty());
}

TEST_CASE("apply: a group that is marked for the wipe is wiped if all else is as it was") {
    Assembly job(2);
    job.layout.on_foreign_data = ForeignData::wipe;
    job.lvm.make_group("theirs", {}, {"nvme1n1", "nvme2n1"});
    job.machine.refresh();
    auto& content = job.machine.disks.at("nvme2n1").content;
    SECTION("the tag alone is new") {
        job.machine.meanwhile = [&](const std::string& call) {
            if (call != "vgchange") return;
            for (auto& [name, disk] : job.machine.disks)
                disk.content.ends = 4711;
        };
        CHECK(job.run().message.empty());
        return;
    }
    job.before_step = [&](const std::string& step) {
        if (step.starts_with("wipe /dev/nvme1n1")) content.ends = 4711;
    };
    CHECK(job.run().reason == "ephemeral-foreign-data");
    for (const auto& write : job.machine.writes)
        CHECK((write.disk == "nvme1n1" || write.what != "zeros"));
}

TEST_CASE("apply: a group is not given up under a program that reads one of its disks") {
    Assembly job(2);
    job.layout.on_partial = PartialGroup::rebuild;
    job.lvm.make_group("muster", {"muster", "muster.instance=i-0abc"}, {"nvme1n1", "nvme2n1"})
        .pvs.emplace_back("gone");
    job.machine.refresh();
    const auto plan = job.plan();
    REQUIRE(plan);
    REQUIRE(plan->refusals.empty());
    auto& disk = job.machine.disks.at("nvme1n1");
    SECTION("it reads") {
        disk.openers = {{.pid = 7, .program = "dd"}};
        CHECK_THAT(job.apply(*plan).message, Catch::Contains("is held open by dd (pid 7)"));
    }
    SECTION("or what is on the disk has changed") {
        disk.content.signatures.push_back({"ext4", "filesystem", "", "", 1080});
        CHECK_THAT(job.apply(*plan).message, Catch::Contains("has got ext4"));
    }
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk without a serial is not the same one when its serial can't be read") {
    Assembly job(2);
    job.machine.sysfs.drop("/sys/block/nvme2n1/device/serial");
    job.before_step = [&](const std::string&) {
        job.machine.sysfs.spoil("/sys/block/nvme2n1/device/serial");
    };
    CHECK(job.run().reason == "cannot-tell");
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk that is another one by now is not written to") {
    for (const char* attribute : {"device/serial", "device/model", "dev", "size", ""}) {
        for (const char* when :
             {"create the volume group", "create the volume scratch", "make xfs"}) {
            CAPTURE(attribute, when);
            Assembly job(2);
            std::size_t written = 0;
            job.before_step = [&](const std::string& step) {
                if (!step.starts_with(when)) return;
                written = job.machine.writes.size();
                const std::string folder = "/sys/block/nvme2n1/";
                if (*attribute == '\0') {
                    job.machine.sysfs.drop(folder);
                } else {
                    job.machine.sysfs.put(folder + attribute, "7:7");
                }
            };
            const auto done = job.run();
            CHECK(done.reason == "cannot-tell");
            CHECK_THAT(done.message, Catch::Contains("/dev/nvme2n1 is no longer the disk"));
            CHECK(job.machine.writes.size() == written);
        }
    }
}
