#include "lvm/judge.h"
#include "tests/lvm/situation.h"

using namespace muster;
using namespace muster::lvm;
using Catch::Contains;

namespace {

/// One disk, with this on it.
Builder carrying(const DiskContent& content) {
    Builder builder;
    builder.disks(1, content);
    return builder;
}

} // namespace

TEST_CASE("judge: blank disks are used: zeros, a cut pvcreate, a label without a group, wiped") {
    CHECK(carrying({.zeroed = true}).steps().size() == 5);
    CHECK(carrying({.lvm_remains = true}).steps().size() == 5);
    Builder orphan;
    orphan.labelled(1);
    orphan.now.lvm.orphans.push_back({.major = 259, .minor = 1});
    CHECK(orphan.steps().size() == 6);
    CHECK(orphan.steps()[0] ==
          "wipe /dev/nvme1n1: /dev/nvme1n1 carries an LVM label that no group uses");
}

TEST_CASE("judge: any signature is refused, and named with its label and place") {
    for (const char* type : {"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "swap", "swsuspend",
                             "gpt", "dos", "PMBR", "crypto_LUKS", "linux_raid_member", "zfs_member",
                             "bcache", "LVM1_member", "isw_raid_member"}) {
        CAPTURE(type);
        const auto refusal =
            carrying({.signatures = {signature(type, "precious", 1080)}}).refusal();
        CHECK(refusal.subject == "nvme1n1");
        CHECK(refusal.reason == "ephemeral-foreign-data");
        CHECK_THAT(refusal.message,
                   Contains("/dev/nvme1n1") &&
                       Contains(std::string(type) + " \"precious\" at offset 1080") &&
                       Contains("wipe it, or take a new instance"));
    }
}

TEST_CASE("judge: several signatures are all named, an LVM label among them helps nothing") {
    const auto refusal =
        carrying({.signatures = {signature("LVM2_member", "", 536), signature("gpt", "", 512)}})
            .refusal();
    CHECK(refusal.reason == "ephemeral-foreign-data");
    CHECK_THAT(refusal.message, Contains("LVM2_member at offset 536, gpt at offset 512"));
    // Not even zeros elsewhere, or a mistaken flag.
    CHECK(carrying({.signatures = {signature("ext4")}, .zeroed = true, .lvm_remains = true})
              .refusal()
              .reason == "ephemeral-foreign-data");
}

TEST_CASE("judge: data that nobody knows is data") {
    const auto refusal = carrying({}).refusal();
    CHECK(refusal.reason == "ephemeral-foreign-data");
    CHECK_THAT(refusal.message, Contains("without a signature"));
}

TEST_CASE("judge: a disk in use is refused, and by what") {
    struct Row {
        void (*change)(Disk&);
        const char* says;
    };
    for (const auto& row : {
             Row{[](Disk& disk) { disk.mounts = {"/srv"}; }, "is mounted at /srv"},
             Row{[](Disk& disk) { disk.swap = true; }, "is swapped to"},
             Row{[](Disk& disk) { disk.partitions = {"nvme1n1p1"}; }, "is partitioned (nvme1n1p1)"},
             Row{[](Disk& disk) { disk.holders = {"md0"}; }, "is in use by md0"},
             Row{[](Disk& disk) { disk.holders = {"dm-7"}; }, "is in use by dm-7"},
         }) {
        Builder builder;
        builder.disks(2);
        row.change(builder.now.candidates[0].disk);
        const auto refusal = builder.refusal();
        CHECK(refusal.reason == "ephemeral-foreign-data");
        CHECK_THAT(refusal.message, Contains("/dev/nvme1n1 " + std::string(row.says)));
    }
}

TEST_CASE("judge: not wholly known, or read-only") {
    Builder builder;
    builder.disks(1);
    builder.now.candidates[0].disk.unknown = {"can't read size"};
    CHECK(builder.refusal().reason == "cannot-tell");
    CHECK_THAT(builder.refusal().message, Contains("can't read size"));
    builder.now.candidates[0].disk.unknown.clear();
    builder.now.candidates[0].disk.read_only = true;
    CHECK(builder.refusal().reason == "assembly-failed");
    CHECK_THAT(builder.refusal().message, Contains("read-only"));
}

TEST_CASE("judge: what is on a read-only disk counts for more than that it is read-only") {
    auto builder = carrying({.signatures = {signature("ext4", "precious")}});
    auto& disk = builder.now.candidates[0].disk;
    disk.read_only = true;
    CHECK(builder.refusal().reason == "ephemeral-foreign-data");
    CHECK_THAT(builder.refusal().message, Contains("ext4 \"precious\""));
    builder.now.layout.on_foreign_data = ForeignData::wipe;
    CHECK(builder.refusal().reason == "assembly-failed");
    CHECK_THAT(builder.refusal().message,
               Contains("/dev/nvme1n1 is read-only, so it can't be wiped") &&
                   Contains("ext4 \"precious\""));
    disk.mounts = {"/srv"};
    CHECK(builder.refusal().reason == "ephemeral-foreign-data");
}

TEST_CASE("judge: of very many signatures the first are named") {
    DiskContent ring;
    for (std::uint64_t slot = 0; slot < 16; ++slot)
        ring.signatures.push_back(signature("zfs_member", "", (128 + slot) << 10));
    const auto message = carrying(ring).refusal().message;
    CHECK_THAT(message, Contains("zfs_member at offset 131072, ") &&
                            Contains("zfs_member at offset 138240 and 8 more;"));
}

TEST_CASE("judge: what a new machine would lose") {
    struct Row {
        const char* name;
        void (*prepare)(Builder&);
        bool without_data;
    };
    const Row rows[] = {
        {"nothing at all", [](Builder&) {}, true},
        {"blank", [](Builder& it) { it.disks(2); }, true},
        {"blank, read-only",
         [](Builder& it) { it.disks(2).now.candidates[0].disk.read_only = true; }, true},
        {"blank, in use", [](Builder& it) { it.disks(2).now.candidates[0].claimed = true; }, false},
        {"blank, and not wholly known",
         [](Builder& it) { it.disks(2).now.candidates[1].disk.unknown = {"?"}; }, false},
        {"data", [](Builder& it) { it.disks(1).disks(1, {.signatures = {signature("xfs")}}); },
         false},
        {"data that may be wiped",
         [](Builder& it) {
             it.disks(1).disks(1, {.signatures = {signature("xfs")}});
             it.now.layout.on_foreign_data = ForeignData::wipe;
         },
         false},
        {"data without a signature", [](Builder& it) { it.disks(1, {}); }, false},
        {"a label of no group",
         [](Builder& it) { it.labelled(1).now.lvm.orphans.push_back({.major = 259, .minor = 1}); },
         true},
        {"a label in use of no group, its area empty",
         [](Builder& it) {
             it.labelled(1).now.lvm.orphans.push_back({.major = 259, .minor = 1, .in_use = true});
             it.now.candidates[0].content.lvm_empty = true;
         },
         true},
        {"a label in use of a group that can't be found",
         [](Builder& it) {
             it.labelled(1).now.lvm.orphans.push_back({.major = 259, .minor = 1, .in_use = true});
         },
         false},
        {"a label of which LVM says nothing", [](Builder& it) { it.labelled(1); }, false},
        {"somebody's group", [](Builder& it) { it.labelled(1).group("data", {}); }, false},
        {"ours, without a volume", [](Builder& it) { it.labelled(2).group(); }, true},
        {"ours, finished", [](Builder& it) { it.finished(); }, false},
        {"ours, its volume never finished",
         [](Builder& it) {
             it.labelled(2).group();
             it.volume().now.lvm.groups[0].logical[0].tags.emplace_back(unfinished_tag);
         },
         true},
        {"ours, one of two volumes finished",
         [](Builder& it) {
             it.labelled(2).group();
             it.volume().now.lvm.groups[0].logical[0].tags.emplace_back(unfinished_tag);
             it.volume("other");
         },
         false},
        {"ours, never finished, and mounted all the same",
         [](Builder& it) {
             it.labelled(2).group();
             it.volume().now.lvm.groups[0].logical[0].tags.emplace_back(unfinished_tag);
             it.active({.signatures = {signature("xfs")}}, {"/mnt/scratch"});
         },
         false},
        {"a node of a group that is gone",
         [](Builder& it) {
             it.disks(1);
             it.active({}).disks = {"nvme1n1"};
             it.now.candidates[0].disk.holders = {"dm-0"};
         },
         false},
    };
    for (const auto& [name, prepare, without_data] : rows) {
        CAPTURE(name);
        Builder builder;
        prepare(builder);
        CHECK(builder.plan().without_data == without_data);
    }
}

TEST_CASE("judge: a label of which LVM does not say the group") {
    Builder builder;
    builder.labelled(1);
    SECTION("it says nothing of the disk") {
        CHECK(builder.refusal().reason == "cannot-tell");
    }
    SECTION("it speaks of another disk") {
        builder.now.lvm.orphans.push_back({.major = 259, .minor = 2});
        CHECK(builder.refusal().reason == "cannot-tell");
    }
    SECTION("some group uses it, which was not found") {
        builder.now.lvm.orphans.push_back({.major = 259, .minor = 1, .in_use = true});
        CHECK(builder.refusal().reason == "ephemeral-foreign-data");
    }
    SECTION("the one with its number is the missing one") {
        builder.group().physical[0].missing = true;
        const auto plan = builder.plan();
        CHECK(plan.steps.empty());
        CHECK(plan.refusals[0].reason == "cannot-tell");
    }
}

TEST_CASE("judge: groups that are not ours") {
    struct Row {
        const char* name;
        std::vector<std::string> tags;
        const char* reason;
        const char* says;
        bool may_go = false; ///< with on_foreign_data "wipe"
    };
    const Row rows[] = {
        {"data", {}, "ephemeral-foreign-data", "the volume group data, which is not ours", true},
        {"muster", {}, "ephemeral-foreign-data", "group muster, which is not ours", true},
        {"muster",
         {"other", "muster.instance=i-0abc"},
         "ephemeral-foreign-data",
         "has no tag \"muster\"",
         true},
        {"muster", {"muster"}, "cannot-tell", "of another instance (muster), this one is i-0abc"},
        {"muster",
         {"muster", "muster.instance=i-0ab"},
         "cannot-tell",
         "of another instance (muster, muster.instance=i-0ab), this one is i-0abc"},
        {"data", {"muster.instance=i-0ab", "muster"}, "cannot-tell", "of another instance"},
        {"scratch",
         {"muster", "muster.instance=i-0abc"},
         "layout-changed",
         "scratch, which is this instance's own, and the configuration now wants it to be called "
         "muster: go back to the old ephemeral.volume_group, or rename the group with `vgrename "
         "scratch muster`"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name, row.says);
        Builder builder;
        builder.labelled(1).group(row.name, row.tags);
        const auto refusal = builder.refusal();
        CHECK(refusal.subject == "nvme1n1");
        CHECK(refusal.reason == row.reason);
        CHECK_THAT(refusal.message, Contains(row.says));
        builder.now.layout.on_foreign_data = ForeignData::wipe;
        CHECK(builder.plan().refusals.empty() == row.may_go);
        // Its volumes are active: no other reason for ours, and never wiped.
        builder.active({}, {}, std::string(row.name) + "-scratch");
        REQUIRE_FALSE(builder.plan().refusals.empty());
        if (!row.may_go) CHECK(builder.plan().refusals.front().reason == row.reason);
    }
}

TEST_CASE("judge: a group that reaches beyond the ephemeral disks is never wiped") {
    Builder builder;
    builder.labelled(2).now.layout.on_foreign_data = ForeignData::wipe;
    auto& group = builder.group("data", {});
    CHECK(builder.plan().refusals.empty());
    SECTION("a disk of it is missing, or is EBS, which LVM is not shown") {
        group.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
    }
    SECTION("a disk of it is seen, and is not ephemeral") {
        group.physical.push_back({.name = "/dev/xvdz", .major = 202, .minor = 9});
    }
    SECTION("there are other signatures beside its label") {
        group.physical.push_back({.name = "[unknown]", .missing = true, .in_use = true});
        builder.now.candidates[1].content.signatures.push_back(signature("ext4", "", 1080));
        builder.now.candidates[1].disk.partitions = {"nvme2n1p1"};
    }
    const auto plan = builder.plan();
    CHECK(plan.steps.empty());
    REQUIRE(plan.refusals.size() == 2);
    CHECK(plan.refusals[1].reason == "ephemeral-foreign-data");
    CHECK_THAT(plan.refusals[1].message,
               Contains("1 of its 3 disks are not among the ephemeral disks") &&
                   Contains("never wiped"));
}

TEST_CASE("judge: an exported group over several disks is never wiped") {
    Builder builder;
    builder.labelled(2).now.layout.on_foreign_data = ForeignData::wipe;
    auto& group = builder.group("data", {});
    group.exported = true;
    REQUIRE(builder.plan().refusals.size() == 2);
    CHECK_THAT(builder.plan().refusals[0].message, Contains("it is exported, to be taken"));
    group.tags = {wipe_tag(us)};
    CHECK(builder.plan().refusals.empty());
}

TEST_CASE("judge: signatures on a disk of our own group") {
    Builder builder;
    builder.finished();
    builder.now.layout.on_foreign_data = ForeignData::wipe;
    auto& signatures = builder.now.candidates[0].content.signatures;
    // Among the volumes' data: of md 1.0 in a volume that ends where the disk does.
    signatures.push_back(signature("linux_raid_member", "", 1000 << 20));
    CHECK(builder.steps().empty());
    signatures.back() = signature("ext4", "new", 1080);
    const auto plan = builder.plan();
    CHECK(plan.steps.empty());
    REQUIRE_FALSE(plan.refusals.empty());
    CHECK(plan.refusals[0].reason == "ephemeral-foreign-data");
    CHECK_THAT(plan.refusals[0].message, Contains("carries ext4 \"new\" at offset 1080 besides"));
    signatures.pop_back();
    builder.now.candidates[0].disk.partitions = {"nvme1n1p1"};
    REQUIRE_FALSE(builder.plan().refusals.empty());
    CHECK_THAT(builder.plan().refusals[0].message, Contains("carries partitions besides"));
}

TEST_CASE("judge: one refused disk is enough to leave all of them alone") {
    Builder builder;
    builder.disks(3).disks(1, {.signatures = {signature("ext4")}});
    CHECK(builder.refusal().subject == "nvme4n1");
}

namespace {

Judgement judged(const Builder& builder) {
    const auto judgement = judge(builder.now, builder.now.candidates.at(0), nullptr);
    if (!judgement) FAIL(judgement.error().message);
    return *judgement;
}

bool is_refused(const Builder& builder) {
    return !judge(builder.now, builder.now.candidates.at(0), nullptr);
}

} // namespace

TEST_CASE("judge: wipe: whatever is on a disk may go, if nothing uses the disk") {
    for (const char* type : {"ext4", "gpt", "crypto_LUKS", "linux_raid_member", "swap"}) {
        auto builder = carrying({.signatures = {signature(type, "precious", 1080)}});
        builder.now.layout.on_foreign_data = ForeignData::wipe;
        CHECK(judged(builder).standing == Standing::wipe);
        CHECK_THAT(judged(builder).why, Contains(type) && Contains("on_foreign_data is \"wipe\""));
    }
    auto nameless = carrying({});
    nameless.now.layout.on_foreign_data = ForeignData::wipe;
    CHECK(judged(nameless).standing == Standing::wipe);
    CHECK_THAT(judged(nameless).why, Contains("without a signature"));

    Builder theirs;
    theirs.labelled(1).group("data", {});
    theirs.now.layout.on_foreign_data = ForeignData::wipe;
    CHECK(judged(theirs).standing == Standing::wipe);

    for (void (*use)(Candidate&) : {
             +[](Candidate& one) { one.disk.mounts = {"/srv"}; },
             +[](Candidate& one) { one.disk.swap = true; },
             +[](Candidate& one) { one.disk.holders = {"md0"}; },
             +[](Candidate& one) { one.disk.read_only = true; },
             +[](Candidate& one) { one.disk.unknown = {"can't read size"}; },
             +[](Candidate& one) { one.claimed = true; },
         }) {
        auto builder = carrying({.signatures = {signature("ext4")}});
        builder.now.layout.on_foreign_data = ForeignData::wipe;
        use(builder.now.candidates[0]);
        CHECK(is_refused(builder));
    }
}

TEST_CASE("judge: wipe-preformatted: a lone empty ext, and nothing else") {
    const auto may_go = [](const DiskContent& content, std::vector<std::string> partitions = {}) {
        auto builder = carrying(content);
        builder.now.layout.on_foreign_data = ForeignData::wipe_preformatted;
        builder.now.candidates[0].disk.partitions = std::move(partitions);
        return !is_refused(builder);
    };
    const DiskContent vendors{.signatures = {signature("ext3")}, .preformatted = true};
    CHECK(may_go(vendors));
    CHECK_FALSE(may_go(vendors, {"xvdb1"}));
    CHECK_FALSE(may_go({.signatures = {signature("ext3")}}));
    CHECK_FALSE(may_go({.signatures = {signature("xfs")}}));
    CHECK_FALSE(may_go({}));
    // The way out is told, and only where it is one.
    CHECK_THAT(carrying(vendors).refusal().message, Contains("\"wipe-preformatted\" would"));
    CHECK_THAT(carrying({.signatures = {signature("ext3")}}).refusal().message,
               !Contains("wipe-preformatted"));
}

TEST_CASE("judge: a label that says in use is wiped only where its metadata area holds no group") {
    Builder builder;
    builder.labelled(1);
    builder.now.lvm.orphans.push_back({.major = 259, .minor = 1, .in_use = true});
    CHECK(is_refused(builder));
    // Its group's metadata may be on an EBS volume alone.
    builder.now.layout.on_foreign_data = ForeignData::wipe;
    CHECK(is_refused(builder));
    builder.now.layout.on_foreign_data = ForeignData::refuse;
    builder.now.candidates[0].content.lvm_empty = true;
    CHECK(judged(builder).standing == Standing::wipe);
    CHECK_THAT(judged(builder).why, Contains("was cut short"));
    // Of a disk that a group has it says nothing.
    builder.now.lvm.orphans.clear();
    builder.group("data", {});
    CHECK(is_refused(builder));
}
