// The same situations as told by three versions of lvm2 (tests/fixtures/lvm/VERSION): 2.02.187,
// which Amazon Linux 2 has, 2.03.11 and 2.03.16.
#include <array>
#include <set>

#include "lvm/report.h"
#include "tests/lvm/fixture.h"

using namespace muster;
using namespace muster::lvm;

namespace {

constexpr std::array versions = {"2.02", "2.03.11", "2.03.16"};

Result<Report> report_of(const std::string& version, const std::string& name) {
    return parse_report(fixture(version + "/" + name + ".json"));
}

Report parsed(const std::string& version, const std::string& name) {
    auto report = report_of(version, name);
    if (!report) FAIL(version << ", " << name << ": " << report.error().message);
    return *report;
}

VolumeGroup only_group(const std::string& version, const std::string& name) {
    auto report = parsed(version, name);
    CAPTURE(version, name);
    REQUIRE(report.groups.size() == 1);
    CHECK(report.orphans.empty());
    return report.groups.front();
}

/// Minor numbers of the loop devices.
std::set<std::uint32_t> disks_in(const std::vector<PhysicalVolume>& volumes) {
    std::set<std::uint32_t> minors;
    for (const auto& volume : volumes) {
        if (volume.missing) continue;
        CHECK(volume.major == 7);
        CHECK(volume.name == "/dev/loop" + std::to_string(volume.minor));
        minors.insert(volume.minor);
    }
    return minors;
}

bool is_said_to_be_unused(const Report& report, std::uint32_t minor) {
    return std::ranges::any_of(report.orphans, [&](const PhysicalVolume& volume) {
        return volume.minor == minor && !volume.in_use;
    });
}

const LogicalVolume& volume(const VolumeGroup& group, const std::string& name) {
    const auto found = std::ranges::find(group.logical, name, &LogicalVolume::name);
    REQUIRE(found != group.logical.end());
    return *found;
}

} // namespace

TEST_CASE("lvm versions: whole groups") {
    for (const char* version : versions) {
        for (const unsigned disks : {2U, 4U, 24U}) {
            const auto group = only_group(version, "whole-" + std::to_string(disks));
            CAPTURE(version, disks);
            CHECK(group.name == "muster");
            CHECK(group.uuid.size() == 38);
            CHECK(group.tags == std::vector<std::string>{"muster", "muster.instance=i-0abc"});
            CHECK(group.extent_size == 4194304);
            CHECK(group.free_extents == 0);
            CHECK_FALSE(group.partial());
            CHECK_FALSE(group.exported);
            CHECK(disks_in(group.physical).size() == disks);
            CHECK(std::ranges::all_of(group.physical, &PhysicalVolume::in_use));
            CHECK(group.logical.size() == 2);
            for (const char* name : {"scratch", "logs"}) {
                const auto& one = volume(group, name);
                CHECK(one.stripes == disks);
                CHECK(one.active);
                CHECK(one.uuid.size() == 38);
                CHECK(one.size % (disks * group.extent_size) == 0);
                CHECK(one.tags == std::vector<std::string>{"muster.filesystem=xfs"});
            }
        }
    }
}

TEST_CASE("lvm versions: active, in part, or not") {
    for (const char* version : versions) {
        CAPTURE(version);
        for (const auto& one : only_group(version, "inactive-2").logical)
            CHECK_FALSE(one.active);
        const auto half = only_group(version, "half-active-2");
        CHECK(volume(half, "logs").active);
        CHECK_FALSE(volume(half, "scratch").active);
    }
}

TEST_CASE("lvm versions: a blank disk beside the group is not in the report") {
    for (const char* version : versions) {
        CHECK(disks_in(only_group(version, "blank-beside").physical) ==
              std::set<std::uint32_t>{0, 1});
    }
}

TEST_CASE("lvm versions: a disk is gone") {
    for (const char* version : versions) {
        for (const unsigned disks : {2U, 4U, 24U}) {
            const auto group = only_group(version, "partial-" + std::to_string(disks));
            CAPTURE(version, disks);
            CHECK(group.partial());
            CHECK(group.physical.size() == disks);
            CHECK(disks_in(group.physical).size() == disks - 1);
            CHECK(group.logical.size() == 2);
            const auto gone =
                std::ranges::find_if(group.physical, [](const auto& one) { return one.missing; });
            CHECK(gone->name == "[unknown]");
            CHECK(gone->uuid.size() == 38);
        }
    }
}

TEST_CASE("lvm versions: an exported group; 2.02 ends with status 5, and tells nothing of it") {
    CHECK_FALSE(report_of("2.02", "exported"));
    for (const char* version : {"2.03.11", "2.03.16"}) {
        const auto group = only_group(version, "exported");
        CHECK(group.exported);
        CHECK(group.logical.size() == 2);
    }
}

TEST_CASE("lvm versions: tags with every character that LVM allows") {
    for (const char* version : versions) {
        const auto group = only_group(version, "tags");
        CAPTURE(version);
        // "@at" was given: LVM takes the @ for its own.
        CHECK(group.tags == std::vector<std::string>{"-dash", "a+b_c.d-e/f=g!h:i#j&k", "at",
                                                     "muster", "muster.instance=i-0abc"});
        CHECK(volume(group, "logs").tags ==
              std::vector<std::string>{"muster.filesystem=xfs", "muster.x=a/b:c", "x&y#z!"});
    }
}

TEST_CASE("lvm versions: a foreign group beside ours, a group without volumes, orphans") {
    for (const char* version : versions) {
        CAPTURE(version);
        const auto both = parsed(version, "foreign-and-orphan");
        REQUIRE(both.groups.size() == 2);
        const bool ours_first = both.groups[0].name == "muster";
        const auto& ours = both.groups[ours_first ? 0 : 1];
        const auto& foreign = both.groups[ours_first ? 1 : 0];
        CHECK(ours.has_tag("muster"));
        CHECK(disks_in(ours.physical) == std::set<std::uint32_t>{0, 1});
        CHECK(foreign.name == "data");
        CHECK(foreign.tags.empty());
        CHECK(disks_in(foreign.physical) == std::set<std::uint32_t>{2, 3});
        CHECK(volume(foreign, "lv").stripes == 1);
        CHECK(disks_in(both.orphans) == std::set<std::uint32_t>{4});
        CHECK(is_said_to_be_unused(both, 4));

        const auto empty = parsed(version, "empty-group-and-orphan");
        REQUIRE(empty.groups.size() == 1);
        CHECK(empty.groups[0].logical.empty());
        CHECK(empty.groups[0].free_extents == 30);
        CHECK(is_said_to_be_unused(empty, 4));

        const auto orphan = parsed(version, "orphan");
        CHECK(orphan.groups.empty());
        CHECK(is_said_to_be_unused(orphan, 4));
    }
}

TEST_CASE("lvm versions: snapshots, pools and mirrors are volumes like others") {
    for (const char* version : versions) {
        const auto group = only_group(version, "types");
        CAPTURE(version);
        CHECK(group.logical.size() == 5); // no hidden ones
        CHECK(volume(group, "thin").size == std::uint64_t{1} << 40);
        CHECK(volume(group, "thin").stripes == 1); // LVM says 0
        CHECK(volume(group, "r1").stripes == 2);   // LVM says so of copies, too
    }
}

TEST_CASE("lvm versions: two groups of one name are two groups") {
    for (const char* version : versions) {
        const auto report = parsed(version, "twin-names");
        CAPTURE(version);
        REQUIRE(report.groups.size() == 2);
        CHECK(report.groups[0].name == report.groups[1].name);
        CHECK(report.groups[0].uuid != report.groups[1].uuid);
        auto disks = disks_in(report.groups[0].physical);
        disks.merge(disks_in(report.groups[1].physical));
        CHECK(disks == std::set<std::uint32_t>{9, 10, 11, 12});
    }
}

TEST_CASE("lvm versions: of two disks with one uuid one is passed over") {
    for (const char* version : versions) {
        CAPTURE(version);
        // loop15 is a copy of loop13: neither in the group nor an orphan.
        CHECK(disks_in(only_group(version, "copied-disk").physical) ==
              std::set<std::uint32_t>{13, 14});
        const auto alone = only_group(version, "copied-disk-alone");
        CHECK(alone.partial());
        CHECK(disks_in(alone.physical) == std::set<std::uint32_t>{13});
        // loop17 is a copy of loop4.
        CHECK(disks_in(parsed(version, "copied-orphan").orphans) == std::set<std::uint32_t>{4});
    }
}

TEST_CASE("lvm versions: a disk with damaged metadata is never said to be unused") {
    for (const char* version : versions) {
        for (const char* name : {"damaged-text-one", "damaged-text-alone", "damaged-header-one",
                                 "damaged-header-alone", "damaged-both", "zero-header-alone"}) {
            CAPTURE(version, name);
            // 2.03.16 says "Retrying metadata scan." amid its JSON.
            const auto report = report_of(version, name);
            if (!report) {
                CHECK(report.error().code == Errc::malformed);
                continue;
            }
            CHECK_FALSE(is_said_to_be_unused(*report, 18));
            CHECK_FALSE(is_said_to_be_unused(*report, 19));
        }
    }
}

TEST_CASE("lvm versions: a label that says \"in use\" over metadata without a group") {
    for (const char* version : versions) {
        CAPTURE(version);
        if (version != versions.front()) {
            CHECK(disks_in(only_group(version, "used-no-metadata-with-other").physical) ==
                  std::set<std::uint32_t>{20, 21});
        }
        const auto alone = parsed(version, "used-no-metadata-alone");
        CHECK(alone.groups.empty());
        REQUIRE(alone.orphans.size() == 1);
        CHECK(alone.orphans[0].minor == 20);
        CHECK(alone.orphans[0].in_use);
    }
}

TEST_CASE("lvm versions: 2.02 may not repair a group, and tells nothing of it") {
    const auto report = parsed("2.02", "used-no-metadata-with-other"); // it ended with status 5
    CHECK(report.groups.empty());
    CHECK(report.orphans.empty());
}

TEST_CASE("lvm versions: a disk that was removed from its group while it was away") {
    for (const char* version : versions) {
        CAPTURE(version);
        const auto report = parsed(version, "old-member");
        REQUIRE(report.groups.size() == 1);
        CHECK(disks_in(report.groups[0].physical) == std::set<std::uint32_t>{22});
        CHECK_FALSE(is_said_to_be_unused(report, 23));
        // By itself it tells of the group as it was.
        const auto alone = only_group(version, "old-member-alone");
        CHECK(alone.partial());
        CHECK(disks_in(alone.physical) == std::set<std::uint32_t>{23});
        CHECK(alone.logical.size() == 1);
    }
}
