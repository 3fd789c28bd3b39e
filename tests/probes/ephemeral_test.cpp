#include "probes/ephemeral.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"

using namespace muster;
using namespace muster::probes;

namespace {

using Numbers = std::vector<DeviceNumber>;

Disk xen(const std::string& name, std::uint32_t minor) {
    return {.name = name, .node = "/dev/" + name, .major = 202, .minor = minor};
}

Disk nvme(std::string_view model) {
    auto disk = xen("nvme1n1", 1);
    disk.major = 259;
    disk.model = model;
    return disk;
}

KnownDisk tell(const Disk& disk, const Mapping& mapping, const MappedNumbers& numbers,
               const char* instance_type = "m1.xlarge") {
    const auto known = tell_origins({disk}, mapping, numbers, instance_type);
    REQUIRE(known.size() == 1);
    CHECK_FALSE(known.front().evidence.empty());
    return known.front();
}

const Numbers xvdb_number{{202, 16}};

} // namespace

TEST_CASE("origin: by the NVMe model, whatever the mapping says") {
    const Mapping lie{{"ephemeral0", "nvme1n1"}};
    const MappedNumbers numbers{{"ephemeral0", Numbers{{259, 1}}}};
    CHECK(tell(nvme(instance_store_model), {}, {}).origin == Origin::instance_store);
    CHECK(tell(nvme(ebs_model), {}, {}).origin == Origin::ebs);
    CHECK(tell(nvme(ebs_model), lie, numbers).origin == Origin::ebs);
    for (const char* model : {"Amazon EC2 NVMe Instance Storage 2",
                              "amazon ec2 nvme instance storage", "QEMU NVMe Ctrl", "Samsung"}) {
        const auto known = tell(nvme(model), lie, numbers);
        CHECK(known.origin == Origin::unknown);
        CHECK_THAT(known.evidence, Catch::Contains(model));
    }
}

TEST_CASE("origin: without a model, by the one mapping that names it") {
    const auto disk = xen("xvdb", 16);
    const auto ephemeral = tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", xvdb_number}});
    CHECK(ephemeral.origin == Origin::instance_store);
    CHECK(ephemeral.mapped == "ephemeral0");
    CHECK_THAT(ephemeral.evidence, Catch::Contains("ephemeral0") && Catch::Contains("sdb"));
    CHECK(tell(disk, {{"ebs1", "sdb"}}, {{"ebs1", xvdb_number}}).origin == Origin::ebs);
    CHECK(tell(disk, {{"ami", "sdb"}}, {{"ami", xvdb_number}}).origin == Origin::unknown);
    CHECK(tell(disk, {{"swap", "sdb"}}, {{"swap", xvdb_number}}).origin == Origin::unknown);
    // Never by subtraction, and never by the name alone.
    CHECK(tell(disk, {}, {}).origin == Origin::unknown);
    CHECK(tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", Numbers{}}}).origin ==
          Origin::unknown);
    CHECK(tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", Numbers{{8, 16}}}}).origin ==
          Origin::unknown);
}

TEST_CASE("origin: where no such disk can be, a mapping proves nothing") {
    // Metadata list ephemeral disks that never were; a volume attached at such a name is no ebsN.
    const auto disk = xen("xvdf", 80);
    const Mapping mapping{{"ephemeral4", "sdf"}};
    const MappedNumbers numbers{{"ephemeral4", Numbers{{202, 80}}}};
    for (const char* type : {"m1.small", "m3.xlarge", "d2.8xlarge", "x1e.32xlarge", "h1.2xlarge"}) {
        CAPTURE(type);
        CHECK(tell(disk, mapping, numbers, type).origin == Origin::instance_store);
    }
    for (const char* type : {"i3.4xlarge", "f1.2xlarge", "t2.micro", "m4.large", "m5d.large", "m",
                             "m10.large", "", "M1.SMALL"}) {
        CAPTURE(type);
        const auto known = tell(disk, mapping, numbers, type);
        CHECK(known.origin == Origin::unknown);
        CHECK_FALSE(known.doubtful); // it is certain that it is none of ours
        CHECK(known.mapped == "ephemeral4");
        CHECK_THAT(known.evidence, Catch::Contains("ephemeral4") && Catch::Contains(type));
    }
    const auto all = tell_origins({nvme(instance_store_model), disk}, mapping, numbers, "m1.small");
    CHECK(all[0].origin == Origin::instance_store);
    CHECK(all[1].origin == Origin::unknown);
    CHECK_THAT(all[1].evidence, Catch::Contains("have a model"));
}

TEST_CASE("origin: what the owner calls his volume is none of ours") {
    const auto known = tell(xen("xvdf", 80), {{"ephemeral4", "sdf"}, {"ebs.data", "sdf"}},
                            {{"ephemeral4", Numbers{{202, 80}}}, {"ebs.data", Numbers{{202, 80}}}});
    CHECK(known.origin == Origin::ebs);
    CHECK_FALSE(known.doubtful);
    CHECK_THAT(known.evidence, Catch::Contains("ebs.data"));
}

TEST_CASE("origin: a disk that two entries claim is nobody's") {
    for (const char* other : {"ephemeral1", "ebs1", "ami", "root"}) {
        CAPTURE(other);
        const auto known = tell(xen("xvdb", 16), {{"ephemeral0", "sdb"}, {other, "xvdb"}},
                                {{"ephemeral0", xvdb_number}, {other, xvdb_number}});
        CHECK(known.origin == Origin::unknown);
        CHECK_THAT(known.evidence, Catch::Contains("ephemeral0") && Catch::Contains(other));
    }
}

TEST_CASE("origin: sdb and xvdb are both there: neither is the one") {
    FakeKernel kernel;
    kernel.devices["/dev/sdb"].set(DeviceNumber{8, 16});
    kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
    const Mapping mapping{{"ephemeral0", "sdb"}};
    const auto numbers = resolve_mapping(kernel, mapping);
    CHECK(tell(xen("xvdb", 16), mapping, numbers).origin == Origin::unknown);
    auto scsi = xen("sdb", 16);
    scsi.major = 8;
    CHECK(tell(scsi, mapping, numbers).origin == Origin::unknown);
}

TEST_CASE("origin: an entry of which nobody can tell where it leads may claim any disk") {
    FakeKernel kernel;
    for (const char* node : {"/dev/sdb", "/dev/sdc", "/dev/xvdc"})
        kernel.devices[node].set(fail(Errc::absent, "no such node"));
    kernel.devices["/dev/xvdb"].add(DeviceNumber{202, 16});
    const Mapping mapping{{"ephemeral0", "sdb"}, {"ephemeral1", "sdc"}};
    CHECK(tell(xen("xvdb", 16), mapping, resolve_mapping(kernel, mapping)).origin ==
          Origin::instance_store);
    kernel.devices["/dev/sdc"].set(fail(Errc::io, "input/output error"));
    const auto known = tell(xen("xvdb", 16), mapping, resolve_mapping(kernel, mapping));
    CHECK(known.origin == Origin::unknown);
    CHECK_THAT(known.evidence, Catch::Contains("ephemeral1") && Catch::Contains("input/output"));
}

TEST_CASE("origin: an entry that names a partition claims its disk, and proves nothing") {
    auto disk = xen("xvda", 0);
    disk.partitions = {"xvda1"};
    // "sda1" leads to the partition's number, so the lying ephemeral0 alone has the disk's.
    const auto root = tell(disk, {{"ami", "sda1"}, {"ephemeral0", "sda"}},
                           {{"ami", Numbers{{202, 1}}}, {"ephemeral0", Numbers{{202, 0}}}});
    CHECK(root.origin == Origin::unknown);
    CHECK_THAT(root.evidence, Catch::Contains("ami"));
    const auto part = tell(disk, {{"ephemeral0", "sda1"}}, {{"ephemeral0", Numbers{{202, 1}}}});
    CHECK(part.origin == Origin::unknown);
    // A whole disk may be called like a partition (paravirtual roots).
    const auto whole =
        tell(xen("xvda2", 2), {{"ephemeral0", "sda2"}}, {{"ephemeral0", Numbers{{202, 2}}}});
    CHECK(whole.origin == Origin::instance_store);
}

TEST_CASE("origin: a disk that may be ephemeral and of which nobody can tell is doubtful") {
    const auto disk = xen("xvdb", 16);
    const Mapping two{{"ephemeral0", "sdb"}, {"ebs1", "xvdb"}};
    CHECK(tell(disk, two, {{"ephemeral0", xvdb_number}, {"ebs1", xvdb_number}}).doubtful);
    const Mapping one{{"ephemeral0", "sdb"}};
    CHECK(tell(disk, one, {{"ephemeral0", fail(Errc::io, "input/output error")}}).doubtful);

    CHECK_FALSE(tell(disk, {}, {}).doubtful);
    CHECK_FALSE(tell(disk, {{"ami", "sdb"}}, {{"ami", xvdb_number}}).doubtful);
    CHECK_FALSE(tell(disk, one, {{"ephemeral0", xvdb_number}}).doubtful);
    CHECK_FALSE(tell(nvme("QEMU NVMe Ctrl"), {}, {}).doubtful);

    // Its model can't be read: it may be the one that says "instance store".
    auto sick = disk;
    sick.unknown.emplace_back("/sys/block/xvdb/device/model: input/output error");
    const auto known = tell(sick, {}, {});
    CHECK(known.doubtful);
    CHECK_THAT(known.evidence, Catch::Contains("device/model"));
}
