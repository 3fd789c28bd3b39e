// What a group that is there can give, against what the configuration asks for.
#include "tests/lvm/situation.h"

using namespace muster;
using namespace muster::lvm;
using Catch::Contains;

namespace {

constexpr std::uint64_t MiB = 1 << 20;

/// Two disks of 250 extents of 4 MiB each, and on them these volumes.
struct Group : Builder {
    Group() {
        labelled(2).group();
        now.layout.volumes.clear();
    }
    VolumeGroup& made() { return now.lvm.groups.back(); }

    /// So many extents of each disk.
    LogicalVolume& has(const std::string& name, std::uint64_t first, std::uint64_t second) {
        const std::uint64_t taken[] = {first, second};
        for (std::size_t i = 0; i < made().physical.size(); ++i)
            made().physical[i].used_extents += taken[i];
        volume(name, first == second ? 2 : 1);
        made().logical.back().size = (first + second) * 4 * MiB;
        return made().logical.back();
    }
    Group& wants(const std::string& name, std::variant<Percent, std::uint64_t> size,
                 Layout layout = Layout::striped) {
        now.layout.volumes.push_back(
            {.name = name, .size = size, .layout = layout, .mount = "/" + name});
        return *this;
    }
    void is_refused(const std::string& subject, const std::string& says) const {
        const auto found = refusal();
        CHECK(found.subject == subject);
        CHECK(found.reason == "layout-changed");
        CHECK_THAT(found.message, Contains(says));
    }
    void is_taken() const { CHECK(plan().refusals.empty()); }
};

/// Of no layout, and without our tag.
void is_an_owners(LogicalVolume& volume) {
    volume.tags.clear();
}

} // namespace

TEST_CASE("room: one volume of all becomes two of a half") {
    Group group;
    group.has("scratch", 250, 250);
    group.wants("logs", Percent{50}).wants("scratch", Percent{50});
    group.is_refused("logs", "it takes 250 extents of 4.0 MiB, striped over 2 disks, and 0 are "
                             "free beside scratch of 2000.0 MiB");
    // Some room does not help: half of the group is what was asked for.
    group.made().physical[0].used_extents = group.made().physical[1].used_extents = 200;
    group.made().logical[0].size = 400 * 4 * MiB;
    group.is_refused("logs", "250 extents");
    CHECK_THAT(group.plan().notes.at(0), Contains("scratch has 1600.0 MiB, the configuration "
                                                  "wants 1000.0 MiB now"));
}

TEST_CASE("room: a volume was renamed") {
    Group group;
    group.wants("scratch", Percent{100});
    auto& data = group.has("data", 250, 250);
    group.is_refused("scratch", "`lvrename muster NAME scratch`");
    // Beside one of half the size the rest would do, but "100%" is said of the whole group.
    data.size /= 2;
    for (auto& disk : group.made().physical)
        disk.used_extents = 125;
    group.is_refused("scratch", "it takes 500 extents");
    // An owner's own leaves what it leaves.
    is_an_owners(data);
    group.is_taken();
}

TEST_CASE("room: an amount must fit exactly, on each disk where it is striped") {
    Group group;
    is_an_owners(group.has("theirs", 240, 200));
    SECTION("it fits") {
        group.wants("scratch", 20 * 4 * MiB);
        group.is_taken();
        group.layout().size = 20 * 4 * MiB + 1;
        group.is_refused("scratch", "it takes 22 extents of 4.0 MiB, striped over 2 disks, and "
                                    "60, 10 of them on one disk, are free");
        group.layout().layout = Layout::linear;
        group.is_taken();
    }
    SECTION("linear: what is free on all of them") {
        group.wants("scratch", 60 * 4 * MiB, Layout::linear);
        group.is_taken();
        group.layout().size = 61 * 4 * MiB;
        group.is_refused("scratch", "61 extents of 4.0 MiB, linear, and 60 are free");
    }
    SECTION("each in its turn") {
        group.wants("logs", 10 * 4 * MiB).wants("scratch", 10 * 4 * MiB);
        group.is_taken();
        group.wants("more", 4 * MiB);
        group.is_refused("more", "and 40, 0 of them on one disk, are free");
    }
}

TEST_CASE("room: a share beside an owner's own volume is that share, or refused") {
    Group group;
    group.has("scratch", 125, 125);
    is_an_owners(group.has("snap", 50, 0));
    group.wants("scratch", Percent{50}).wants("logs", Percent{50});
    group.is_refused("logs", "it takes 250 extents");
    group.now.layout.volumes[1].size = Percent{30};
    group.is_taken();
}

TEST_CASE("room: an amount larger than the volume has") {
    Group group;
    group.has("scratch", 50, 50);
    group.wants("scratch", 401 * MiB);
    group.is_refused("scratch", "the volume scratch has 400.0 MiB, the configuration wants 401.0 "
                                "MiB now");
    for (const std::uint64_t smaller : {400 * MiB, 400 * MiB - 1, 100 * MiB}) {
        group.layout().size = smaller;
        group.is_taken();
    }
    CHECK(group.plan().notes.size() == 1); // 100 MiB
    // A share is what it was when the volume was made.
    group.layout().size = Percent{50};
    group.is_taken();
    CHECK_THAT(group.plan().notes.at(0), Contains("has 400.0 MiB, the configuration wants 1000.0"));
    group.layout().size = Percent{100};
    group.is_taken();
    CHECK(group.plan().notes.empty());
}

TEST_CASE("room: another layout is noted, and left as it is") {
    Group group;
    group.has("scratch", 250, 250);
    group.wants("scratch", Percent{100}, Layout::linear);
    group.is_taken();
    CHECK_THAT(group.plan().notes.at(0), Contains("scratch is striped, other than"));
    group.made().logical[0].stripes = 1;
    CHECK(group.plan().notes.empty());
    group.layout().layout = Layout::striped;
    CHECK_THAT(group.plan().notes.at(0), Contains("scratch is not striped, other than"));
}

TEST_CASE("room: what a power cut left is made as it would have been") {
    Group group;
    // Disks of two sizes: lvcreate gave the first volume less than its share, and has less for the
    // second.
    group.made().physical[0].extents = 100;
    group.wants("a", Percent{25}).wants("b", Percent{50});
    SECTION("nothing is made yet") {
        group.is_taken();
    }
    SECTION("one is made") {
        group.has("a", 43, 43);
        group.is_taken();
    }
    SECTION("the second was not finished") {
        group.has("a", 43, 43);
        group.has("b", 57, 57);
        group.unfinished();
        group.is_taken();
    }
    SECTION("the first was not finished, and the configuration is another one now") {
        group.has("a", 100, 100);
        group.unfinished();
        group.is_taken();
    }
    SECTION("nothing at all is left for it") {
        group.has("a", 100, 100);
        group.made().logical[0].size = 1;
        group.is_refused("b", "it takes 2 extents");
    }
}
