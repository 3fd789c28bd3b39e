#include "lvm/wipe.h"
#include "tests/catch.h"
#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;
using Extents = std::vector<Extent>;

namespace muster {
std::ostream& operator<<(std::ostream& to, const Extent& extent) {
    return to << extent.length << " at " << extent.offset;
}
} // namespace muster

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
    auto& content = job.machine.disks.at("nvme1n1").content;
    SECTION("by its signatures") {
        content.signatures[0].label = "another";
    }
    SECTION("by its bytes alone") {
        content.ends = 4711;
    }
    const auto done = job.apply(*plan);
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::Contains("no longer holds what it held") &&
                                 Catch::EndsWith("nothing was written"));
    CHECK(job.machine.writes.empty());
}

TEST_CASE("wipe: not what has come into use since") {
    Wipe job(foreign_ext4);
    const auto plan = job.plan();
    REQUIRE(plan);
    SECTION("claimed") {
        job.machine.other_mounts.emplace_back(DeviceNumber{259, 1}, "/srv");
        const auto done = job.apply(*plan);
        CHECK(done.reason == "ephemeral-foreign-data");
        CHECK_THAT(done.message, Catch::Contains("has come into use"));
    }
    SECTION("open, not even for writing") {
        job.machine.disks.at("nvme1n1").openers = {{.pid = 42, .program = "dd"}};
        const auto done = job.apply(*plan);
        CHECK(done.reason == "ephemeral-foreign-data");
        CHECK_THAT(
            done.message,
            Catch::Contains("/dev/nvme1n1 is held open by dd (pid 42); nothing was written"));
    }
    CHECK(job.machine.writes.empty());
}

TEST_CASE("wipe: \"nothing was written\" is said only where that is so") {
    Wipe job(foreign_ext4);
    job.machine.add_nvme(2, foreign_ext4);
    job.machine.refresh();
    job.before_step = [&](const std::string& step) {
        if (step.starts_with("wipe /dev/nvme2n1"))
            job.machine.disks.at("nvme2n1").content.signatures[0].label = "another";
    };
    const auto done = job.run();
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK_THAT(done.message, Catch::EndsWith("this step was not taken"));
    for (const auto& write : job.machine.writes)
        CHECK(write.disk == "nvme1n1");
    CHECK_FALSE(job.machine.writes.empty());
}

TEST_CASE("wipe: a wipe that began too late is not blamed on the disk") {
    for (const auto& [left, reason] : {std::pair{std::chrono::seconds(3), "deadline-exceeded"},
                                       {std::chrono::seconds(30), "ephemeral-stuck"}}) {
        Wipe job(foreign_ext4);
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.meanwhile = [&](const std::string& call) {
            if (!call.starts_with("wipe")) return;
            job.machine.fault_at = job.machine.calls;
            job.machine.fault = Fault::stuck;
        };
        const auto done = lvm::apply(job.world(), *plan, Deadline::in(job.machine.clock, left),
                                     {.begin = [](const std::string&) {},
                                      .end = [](const std::string&, const std::string&) {}});
        REQUIRE_FALSE(done);
        CHECK(done.error().reason == reason);
    }
}

TEST_CASE("wipe: the kernel forgets the partitions, unless one is open") {
    Wipe job(foreign_ext4);
    job.machine.add_partition("nvme1n1", "nvme1n1p1", {259, 9});
    SECTION("none is") {
        CHECK(job.run().message.empty());
        CHECK_FALSE(job.machine.sysfs.files().exists("/sys/block/nvme1n1/nvme1n1p1"));
    }
    SECTION("one is") {
        job.machine.partitions_stay = true;
        const auto done = job.run();
        CHECK(done.reason == "assembly-failed");
        CHECK_THAT(done.message, Catch::Contains("still has its partitions"));
    }
}
