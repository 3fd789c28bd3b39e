#include "lvm/wipe.h"
#include "tests/catch.h"
#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;
using Extents = std::vector<Extent>;

namespace muster::lvm {
std::ostream& operator<<(std::ostream& to, const Extent& extent) {
    return to << extent.length << " at " << extent.offset;
}
} // namespace muster::lvm

namespace {

constexpr std::uint64_t MiB = 1 << 20;

WipeDisk wipe_of(std::uint64_t size, DiskContent content = {}) {
    return {.disk = {.name = "nvme1n1", .node = "/dev/nvme1n1", .size = size},
            .content = std::move(content)};
}

/// A machine whose one disk carries this and may be wiped.
struct Wipe : Assembly {
    explicit Wipe(const DiskContent& content) {
        machine.add_nvme(1, content);
        machine.refresh();
        layout.on_foreign_data = ForeignData::wipe;
    }
};
const DiskContent foreign_ext4{.signatures = {{"ext4", "filesystem", "", "", 1080}}};

} // namespace

TEST_CASE("wipe: the end, the first two MiB (where a volume begins), and where else a signature "
          "is; the first block last") {
    CHECK(extents_of(wipe_of(100 * MiB)) ==
          Extents{{99 * MiB, MiB}, {4096, 2 * MiB - 4096}, {0, 4096}});
    const Signature second{"crypto_LUKS", "crypto", "", "", 2 * MiB + 5000};
    CHECK(extents_of(wipe_of(100 * MiB, {.signatures = {second}})) ==
          Extents{{2 * MiB + 4096, 4096}, {99 * MiB, MiB}, {4096, 2 * MiB - 4096}, {0, 4096}});
    // Its last MiB begins within a block: whole blocks, for disks with sectors of 4096 bytes.
    CHECK(extents_of(wipe_of(100 * MiB + 512))[0] == Extent{99 * MiB, MiB + 512});
    CHECK(extents_of(wipe_of(3 * MiB)) == Extents{{0, 3 * MiB}});
}

TEST_CASE("wipe: of a label without a group the metadata area's header stays to the end") {
    CHECK(extents_of(wipe_of(100 * MiB, {.lvm_empty = true})) ==
          Extents{{99 * MiB, MiB}, {8192, 2 * MiB - 8192}, {0, 4096}});
}

TEST_CASE("wipe: not what was not seen when the plan was made") {
    Wipe job(foreign_ext4);
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.disks.at("nvme1n1").content.signatures[0].label = "another";
    const auto done = job.apply(*plan);
    CHECK(done.reason == "cannot-tell");
    CHECK_THAT(done.message, Catch::Contains("no longer holds what it held"));
    CHECK(job.machine.writes.empty());
}

TEST_CASE("wipe: not what has come into use since") {
    Wipe job(foreign_ext4);
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.other_mounts.emplace_back(DeviceNumber{259, 1}, "/srv");
    const auto done = job.apply(*plan);
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::Contains("has come into use"));
    CHECK(job.machine.writes.empty());
}

TEST_CASE("wipe: without the tools") {
    for (const char* tool : {"blkdiscard", "blockdev"}) {
        Wipe job(foreign_ext4);
        job.machine.sysfs.drop(std::string("/usr/sbin/") + tool);
        const auto done = job.run();
        CHECK(done.reason == "tool-missing");
        CHECK_THAT(done.message, Catch::Contains("util-linux"));
        CHECK(job.machine.writes.empty());
    }
}

TEST_CASE("wipe: partitions that are looked into for a moment, and for ever") {
    Wipe job(foreign_ext4);
    job.machine.add_partition("nvme1n1", "nvme1n1p1", {259, 9});
    SECTION("for a moment") {
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.fault_at =
            job.machine.calls + 6; // nodes, content, claim, three stretches, blockdev
        job.machine.fault = Fault::error;
        CHECK(job.apply(*plan).message.empty());
        CHECK(job.machine.clock.elapsed() == std::chrono::milliseconds(200));
        CHECK_FALSE(job.machine.sysfs.files().exists("/sys/block/nvme1n1/nvme1n1p1"));
    }
    SECTION("by something that hangs") {
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.fault_at = job.machine.calls + 6;
        job.machine.fault = Fault::stuck;
        CHECK(job.apply(*plan).reason == "ephemeral-stuck");
        CHECK(job.machine.clock.elapsed() <= std::chrono::seconds(11));
    }
    SECTION("for ever") {
        job.lvm.partitions_stay = true;
        const auto done = job.run();
        CHECK(done.reason == "assembly-failed");
        CHECK_THAT(done.message, Catch::Contains("still has its partitions: ") &&
                                     Catch::Contains("Device or resource busy"));
        CHECK(job.machine.clock.elapsed() <= std::chrono::seconds(11));
    }
}
