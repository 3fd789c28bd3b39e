// What the report says of the volumes, on a machine whose disks keep what is written to them.
#include <algorithm>

#include "agent/stages.h"
#include "tests/fakes/fake_http.h"
#include "tests/lvm/assembly.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

struct StorageMachine {
    lvm::Assembly job{2};

    /// The writing stage.
    Record written(const lvm::Plan& plan) {
        Config config;
        config.ephemeral.layout = job.layout;
        Record record;
        record.without_data = plan.without_data;
        Progress progress(job.machine.clock, job.machine.clock.now(),
                          [&](const nlohmann::json& event) { record.add(event); });
        FakeHttp http([](const HttpRequest&) { return FakeHttp::answer(500); });
        const World world{
            job.machine.sysfs.files(), job.machine.clock, job.machine, job.lvm, http, "/lock"};
        apply_plan(world, config, plan, progress, Deadline::in(job.machine.clock, 300s));
        return record;
    }

    Record written() {
        const auto plan = job.plan();
        REQUIRE(plan);
        return written(*plan);
    }

    /// What the report then says of the one volume.
    nlohmann::json volume() {
        const auto record = written();
        REQUIRE(record.storage["volumes"].size() == 1);
        return record.storage["volumes"][0];
    }

    /// The last outside call of this name in such a run will go wrong.
    void spoil(const std::string& call, Fault fault) {
        StorageMachine whole;
        whole.job.layout = job.layout;
        whole.job.machine.disks = job.machine.disks;
        (void)whole.written();
        const auto& called = whole.job.machine.called;
        const auto at = std::find(called.rbegin(), called.rend(), call);
        REQUIRE(at != called.rend());
        job.machine.fault_at = static_cast<int>(called.rend() - at) - 1;
        job.machine.fault = fault;
    }
};

} // namespace

TEST_CASE("storage: a volume that is whole") {
    StorageMachine machine;
    const auto volume = machine.volume();
    CHECK(volume["filesystem"] == "xfs");
    CHECK(volume["mount"] == "/mnt/scratch");
    CHECK(volume["disks"].size() == 2);
}

TEST_CASE("storage: what is on a volume that is mounted nowhere") {
    StorageMachine machine;
    SECTION("it could not be mounted") {
        machine.spoil("mount /mnt/scratch", Fault::error);
        CHECK(machine.volume()["filesystem"] == "xfs");
    }
    SECTION("it is the owner's: nothing") {
        machine.job.layout.volumes[0].filesystem = lvm::Filesystem::none;
        CHECK(machine.volume()["filesystem"] == nullptr);
    }
    SECTION("it is the owner's: what he made of it") {
        machine.job.layout.volumes[0].filesystem = lvm::Filesystem::none;
        (void)machine.volume();
        machine.job.machine.groups[0].volumes[0].content = {
            .signatures = {{"ext4", "filesystem", "", "", 1080}}};
        CHECK(machine.volume()["filesystem"] == "ext4");
    }
    SECTION("it can't be told") {
        machine.job.layout.volumes[0].filesystem = lvm::Filesystem::none;
        machine.spoil("content /dev/dm-0", Fault::error);
        const auto volume = machine.volume();
        CHECK_FALSE(volume.contains("filesystem"));
        CHECK(volume["problem"] == "fake: input/output error");
    }
}

TEST_CASE("storage: what is proved of the data follows what is done to the disks") {
    StorageMachine machine;
    auto& disk = machine.job.machine.disks.at("nvme1n1");
    const auto told = [](const Record& record) {
        return record.findings.back().code + (record.without_data ? ", no data" : "");
    };
    SECTION("blank, and assembly fails") {
        machine.spoil("vgcreate", Fault::error);
        CHECK(told(machine.written()) == "assembly-failed, no data");
    }
    SECTION("data that may go") {
        machine.job.layout.on_foreign_data = lvm::ForeignData::wipe;
        disk.content = {.signatures = {{"ext4", "filesystem", "", "", 1080}}};
        SECTION("and is wiped") {
            machine.spoil("vgcreate", Fault::error);
            CHECK(told(machine.written()) == "assembly-failed, no data");
        }
        SECTION("and stays") {
            machine.spoil("wipe /dev/nvme1n1", Fault::lie);
            CHECK(told(machine.written()) == "assembly-failed");
        }
    }
    SECTION("another disk stands there now") {
        const auto plan = machine.job.plan();
        REQUIRE(plan);
        CHECK(plan->without_data);
        machine.job.machine.sysfs.put("/sys/block/nvme1n1/device/serial", "another\n");
        CHECK(told(machine.written(*plan)) == "cannot-tell");
    }
}
