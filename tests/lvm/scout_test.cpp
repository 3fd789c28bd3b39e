#include "lvm/scout.h"
#include "tests/catch.h"
#include "tests/fakes/fake_lvm.h"

using namespace muster;
using namespace muster::lvm;
using namespace std::chrono_literals;

namespace {

struct Scouted {
    Scouted() {
        machine.add_nvme(1);
        machine.add_nvme(2);
        machine.refresh();
    }
    [[nodiscard]] Disk disk(const std::string& name) const {
        const auto& spec = machine.disks.at(name).spec;
        return {.name = name,
                .node = "/dev/" + name,
                .major = spec.number.major,
                .minor = spec.number.minor,
                .serial = spec.serial};
    }
    /// How often the machine was asked for this.
    [[nodiscard]] auto asked(const std::string& what) const {
        return std::ranges::count(machine.called, what);
    }

    FakeMachine machine;
    FakeLvm fake{machine};
    Scout scout{{machine.sysfs.files(), machine, fake, machine.clock},
                Deadline::in(machine.clock, 300s)};
};

} // namespace

TEST_CASE("scout: what was begun is not looked at again, for as long as it is good") {
    Scouted scouted;
    const std::vector disks{scouted.disk("nvme1n1"), scouted.disk("nvme2n1")};
    scouted.scout.begin(disks);
    CHECK(scouted.asked("content /dev/nvme1n1") == 1);
    CHECK(scouted.asked("version") == 1);
    scouted.machine.clock.advance(2s);
    const auto looks = scouted.scout.looks({disks[1], disks[0]});
    REQUIRE(looks.size() == 2);
    REQUIRE(looks[0]);
    CHECK(looks[0]->content.zeroed);
    CHECK(scouted.asked("content /dev/nvme1n1") == 1);
    CHECK(scouted.asked("content /dev/nvme2n1") == 1);
    REQUIRE(scouted.scout.tool());
    CHECK(scouted.scout.tool()->value().path == "/usr/sbin/lvm");
    CHECK(scouted.asked("version") == 1);

    // A signature has come meanwhile.
    scouted.machine.disks.at("nvme1n1").content = {.signatures = {{"ext4", "filesystem"}}};
    SECTION("it is too old") {
        scouted.machine.clock.advance(1ms);
        CHECK_FALSE(scouted.scout.looks({disks[0]}).at(0)->content.zeroed);
        CHECK(scouted.asked("content /dev/nvme1n1") == 2);
    }
    SECTION("the disk is another one, or used now") {
        auto changed = disks[0];
        changed.serial += "x";
        CHECK_FALSE(scouted.scout.looks({changed}).at(0)->content.zeroed);
        changed = disks[0];
        changed.holders = {"dm-0"};
        CHECK_FALSE(scouted.scout.looks({changed}).at(0)->content.zeroed);
        CHECK(scouted.asked("content /dev/nvme1n1") == 3);
        CHECK(scouted.asked("is_claimed /dev/nvme1n1") == 2); // its use is seen
    }
    SECTION("the latest look counts") {
        scouted.machine.clock.advance(1s);
        CHECK_FALSE(scouted.scout.looks({disks[0]}).at(0)->content.zeroed);
        scouted.machine.clock.advance(1s);
        CHECK_FALSE(scouted.scout.looks({disks[0]}).at(0)->content.zeroed);
        CHECK(scouted.asked("content /dev/nvme1n1") == 2);
    }
}

TEST_CASE("scout: disks and LVM are waited for together, and a sick one is a failure of its own") {
    Scouted scouted;
    scouted.machine.fault_at = 0;
    scouted.machine.fault = Fault::stuck;
    const auto looks = scouted.scout.looks({scouted.disk("nvme1n1"), scouted.disk("nvme2n1")});
    CHECK(scouted.machine.clock.elapsed() == look_limit);
    REQUIRE_FALSE(looks.at(0));
    CHECK(looks[0].error().reason == "ephemeral-stuck");
    CHECK(looks.at(1));
    CHECK(scouted.scout.tool());
    CHECK(scouted.machine.clock.elapsed() == look_limit);
}

TEST_CASE("scout: LVM: which one it is, that there is none, that it can't be told") {
    Scouted scouted;
    SECTION("an old one") {
        scouted.fake.version = "2.03.11";
        CHECK(scouted.scout.tool()->value().old);
    }
    SECTION("none") {
        scouted.machine.sysfs.drop("/usr/sbin/lvm");
        REQUIRE(scouted.scout.tool());
        CHECK_FALSE(scouted.scout.tool()->has_value());
    }
    SECTION("it fails") {
        scouted.machine.fault_at = 0;
        scouted.machine.fault = Fault::error;
        REQUIRE_FALSE(scouted.scout.tool());
        CHECK(scouted.scout.tool().error().message ==
              "lvm version failed (status 5): fake: it failed");
    }
    SECTION("it says nothing that can be understood") {
        scouted.machine.fault_at = 0;
        scouted.machine.fault = Fault::garbage;
        CHECK_FALSE(scouted.scout.tool());
    }
    SECTION("it is not asked for where there is no disk to look at") {
        CHECK(scouted.scout.looks({}).empty());
        CHECK(scouted.fake.ran.empty());
    }
}

TEST_CASE("scout: what went wrong ahead of time is tried again in time") {
    Scouted scouted;
    scouted.machine.fault_at = 0;
    scouted.machine.fault = Fault::error;
    SECTION("a look") {
        const std::vector disks{scouted.disk("nvme1n1")};
        scouted.scout.begin(disks);
        scouted.machine.clock.advance(400ms);
        CHECK(scouted.scout.looks(disks).at(0));
        CHECK(scouted.asked("content /dev/nvme1n1") == 2);
    }
    SECTION("somebody had the disk for a moment") {
        scouted.machine.fault = Fault::none;
        scouted.machine.disks.at("nvme1n1").claimed = true;
        const std::vector disks{scouted.disk("nvme1n1")};
        scouted.scout.begin(disks);
        scouted.machine.disks.at("nvme1n1").claimed = false;
        scouted.machine.clock.advance(400ms);
        CHECK_FALSE(scouted.scout.looks(disks).at(0)->claimed);
    }
    SECTION("LVM") {
        scouted.scout.begin({});
        scouted.machine.clock.advance(400ms);
        CHECK(scouted.scout.tool());
        CHECK(scouted.asked("version") == 2);
    }
    SECTION("but not a disk that hangs") {
        scouted.machine.fault = Fault::stuck;
        const std::vector disks{scouted.disk("nvme1n1")};
        scouted.scout.begin(disks);
        scouted.machine.clock.advance(400ms);
        CHECK_FALSE(scouted.scout.looks(disks).at(0));
        CHECK(scouted.asked("content /dev/nvme1n1") == 1);
    }
}
