#include "probes/ephemeral.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"

using namespace muster;
using namespace muster::probes;

namespace {

using Nodes = std::vector<DeviceNode>;

Disk xen(const std::string& name, std::uint32_t minor) {
    return {.name = name, .node = "/dev/" + name, .major = 202, .minor = minor};
}

Disk nvme(std::string_view model) {
    auto disk = xen("nvme1n1", 1);
    disk.major = 259;
    disk.model = model;
    return disk;
}

KnownDisk tell(const Disk& disk, const Mapping& mapping, const MappedNodes& nodes,
               const char* instance_type = "m1.xlarge") {
    const auto known = tell_origins({disk}, mapping, nodes, instance_type);
    REQUIRE(known.size() == 1);
    CHECK_FALSE(known.front().evidence.empty());
    return known.front();
}

const Nodes xvdb_node{{{202, 16}}};

} // namespace

TEST_CASE("origin: by the NVMe model, whatever the mapping says") {
    const Mapping lie{{"ephemeral0", "nvme1n1"}};
    const MappedNodes nodes{{"ephemeral0", Nodes{{{259, 1}}}}};
    CHECK(tell(nvme(instance_store_model), {}, {}).origin == Origin::instance_store);
    CHECK(tell(nvme(ebs_model), {}, {}).origin == Origin::ebs);
    CHECK(tell(nvme(ebs_model), lie, nodes).origin == Origin::ebs);
    for (const char* model : {"Amazon EC2 NVMe Instance Storage 2",
                              "amazon ec2 nvme instance storage", "QEMU NVMe Ctrl", "Samsung"}) {
        const auto known = tell(nvme(model), lie, nodes);
        CHECK(known.origin == Origin::unknown);
        CHECK_THAT(known.evidence, Catch::Contains(model));
    }
}

TEST_CASE("origin: without a model, by the one mapping that names it") {
    const auto disk = xen("xvdb", 16);
    const auto ephemeral = tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", xvdb_node}});
    CHECK(ephemeral.origin == Origin::instance_store);
    CHECK(ephemeral.mapped == "ephemeral0");
    CHECK_THAT(ephemeral.evidence, Catch::Contains("ephemeral0") && Catch::Contains("sdb"));
    CHECK(tell(disk, {{"ebs1", "sdb"}}, {{"ebs1", xvdb_node}}).origin == Origin::ebs);
    CHECK(tell(disk, {{"ami", "sdb"}}, {{"ami", xvdb_node}}).origin == Origin::unknown);
    CHECK(tell(disk, {{"swap", "sdb"}}, {{"swap", xvdb_node}}).origin == Origin::unknown);
    // Never by subtraction, and never by the name alone.
    CHECK(tell(disk, {}, {}).origin == Origin::unknown);
    CHECK(tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", Nodes{}}}).origin == Origin::unknown);
    CHECK(tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", Nodes{{{8, 16}}}}}).origin ==
          Origin::unknown);
}

TEST_CASE("origin: where no such disk can be, a mapping proves nothing") {
    // Metadata list ephemeral disks that never were; a volume attached at such a name is no ebsN.
    const auto disk = xen("xvdf", 80);
    const Mapping mapping{{"ephemeral0", "sdf"}};
    const MappedNodes nodes{{"ephemeral0", Nodes{{{202, 80}}}}};
    for (const char* type : {"m1.small", "m3.xlarge", "d2.8xlarge", "x1e.32xlarge", "h1.2xlarge"}) {
        CAPTURE(type);
        CHECK(tell(disk, mapping, nodes, type).origin == Origin::instance_store);
    }
    for (const char* type : {"i3.4xlarge", "f1.2xlarge", "t2.micro", "m4.large", "m5d.large", "m",
                             "m10.large", "", "M1.SMALL", "g2.2xlarge", "m3.xlargee", "m3.xlarg"}) {
        CAPTURE(type);
        const auto known = tell(disk, mapping, nodes, type);
        CHECK(known.origin == Origin::unknown);
        CHECK_FALSE(known.doubtful); // it is certain that it is none of ours
        CHECK(known.mapped == "ephemeral0");
        CHECK_THAT(known.evidence, Catch::Contains("ephemeral0") && Catch::Contains(type));
    }
    const auto all = tell_origins({nvme(instance_store_model), disk}, mapping, nodes, "m1.small");
    CHECK(all[0].origin == Origin::instance_store);
    CHECK(all[1].origin == Origin::unknown);
    CHECK_THAT(all[1].evidence, Catch::Contains("have a model"));
}

TEST_CASE("origin: ephemeralN beyond the number that the type has proves nothing") {
    const struct {
        const char* type;
        unsigned count;
    } rows[] = {{"m3.large", 1},  {"m3.xlarge", 2},  {"d2.xlarge", 3},
                {"m1.xlarge", 4}, {"i2.8xlarge", 8}, {"d2.8xlarge", 24}};
    for (const auto& [type, count] : rows) {
        for (unsigned n = 0; n < 30; ++n) {
            CAPTURE(type, n);
            const auto name = fmt::format("ephemeral{}", n);
            const auto known =
                tell(xen("xvdf", 80), {{name, "sdf"}}, {{name, Nodes{{{202, 80}}}}}, type);
            CHECK((known.origin == Origin::instance_store) == (n < count));
            CHECK_FALSE(known.doubtful);
            if (n >= count)
                CHECK_THAT(known.evidence, Catch::Contains(name) && Catch::Contains(type));
        }
    }
    for (const char* name :
         {"ephemeral", "ephemeral00", "ephemeral01", "ephemeral-1", "ephemeral+0", "ephemeral0x",
          "ephemeral4294967296", "ephemeral18446744073709551616"}) {
        CAPTURE(name);
        CHECK(tell(xen("xvdb", 16), {{name, "sdb"}}, {{name, xvdb_node}}).origin ==
              Origin::unknown);
    }
    // Such an entry still claims the disk: what two entries claim is nobody's.
    const auto known = tell(xen("xvdb", 16), {{"ephemeral0", "sdb"}, {"ephemeral9", "sdb"}},
                            {{"ephemeral0", xvdb_node}, {"ephemeral9", xvdb_node}});
    CHECK(known.origin == Origin::unknown);
    CHECK(known.doubtful);
}

TEST_CASE("origin: a link proves nothing, and still claims") {
    const auto disk = xen("xvdf", 80);
    const Nodes link{{{202, 80}, true}};
    const auto known = tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", link}});
    CHECK(known.origin == Origin::unknown);
    CHECK_FALSE(known.doubtful);
    CHECK_THAT(known.evidence, Catch::Contains("/dev/sdb is a link"));
    // Where another entry proves it: claimed twice.
    const auto both = tell(disk, {{"ephemeral0", "sdf"}, {"ebs1", "sdb"}},
                           {{"ephemeral0", Nodes{{{202, 80}}}}, {"ebs1", link}});
    CHECK(both.origin == Origin::unknown);
    CHECK(both.doubtful);
    // The node has this disk's number, and the link another's: neither is the one.
    const MappedNodes torn{{"ephemeral0", Nodes{{{202, 80}, true}, {{202, 16}}}}};
    CHECK(tell(xen("xvdb", 16), {{"ephemeral0", "sdb"}}, torn).doubtful);
    CHECK(tell(disk, {{"ephemeral0", "sdb"}}, torn).origin == Origin::unknown);
}

TEST_CASE("origin: a node of EC2's name that the kernel has given to no such disk") {
    for (const char* name : {"nbd0", "xvdc", "sdc", "ram0", "zram0", "vdb", "nvme1n1", "dm-0"}) {
        CAPTURE(name);
        const auto known =
            tell(xen(name, 16), {{"ephemeral0", "sdb"}}, {{"ephemeral0", xvdb_node}});
        CHECK(known.origin == Origin::unknown);
        CHECK_FALSE(known.doubtful);
        CHECK_THAT(known.evidence, Catch::Contains("the kernel calls it"));
    }
    // Not even where the mapping says so.
    CHECK(tell(xen("nbd0", 16), {{"ephemeral0", "nbd0"}}, {{"ephemeral0", xvdb_node}}).origin ==
          Origin::unknown);
}

TEST_CASE("origin: Xen's own name for the disk counts where the kernel shifts the letters") {
    auto disk = xen("xvdf", 80);
    const Mapping mapping{{"ephemeral4", "sdf"}};
    const MappedNodes nodes{{"ephemeral4", Nodes{{{202, 80}}}}};
    const auto origin = [&](const char* node) {
        disk.xen = node;
        return tell(disk, mapping, nodes, "i2.8xlarge").origin;
    };
    CHECK(origin("") == Origin::instance_store);
    CHECK(origin("device/vbd/51792") == Origin::instance_store); // xvdf
    CHECK(origin("device/vbd/2128") == Origin::instance_store);  // sdf
    CHECK(origin("device/vbd/2064") == Origin::unknown);         // sdb, which SUSE calls xvdf
    CHECK(origin("device/vbd/") == Origin::unknown);
    CHECK(origin("device/vbd/99") == Origin::unknown);
}

TEST_CASE("origin: a disk that is larger than the type's is none of them") {
    auto disk = xen("xvdb", 16);
    const auto origin = [&](std::uint64_t size, const char* type) {
        disk.size = size;
        return tell(disk, {{"ephemeral0", "sdb"}}, {{"ephemeral0", xvdb_node}}, type).origin;
    };
    // As fdisk has shown them.
    CHECK(origin(40256929792, "m3.xlarge") == Origin::instance_store);
    CHECK(origin(std::uint64_t{40} << 30, "m3.xlarge") == Origin::instance_store);
    CHECK(origin(std::uint64_t{41} << 30, "m3.xlarge") == Origin::unknown);
    CHECK(origin(375809638400, "c1.medium") == Origin::instance_store);
    CHECK(origin(std::uint64_t{100} << 30, "m3.large") == Origin::unknown);
    CHECK(origin(0, "m3.large") == Origin::instance_store); // refused as too small, elsewhere
}

TEST_CASE("origin: what the owner calls his volume is none of ours") {
    const auto known = tell(xen("xvdf", 80), {{"ephemeral4", "sdf"}, {"ebs.data", "sdf"}},
                            {{"ephemeral4", Nodes{{{202, 80}}}}, {"ebs.data", Nodes{{{202, 80}}}}});
    CHECK(known.origin == Origin::ebs);
    CHECK_FALSE(known.doubtful);
    CHECK_THAT(known.evidence, Catch::Contains("ebs.data"));
}

TEST_CASE("origin: a disk that two entries claim is nobody's") {
    for (const char* other : {"ephemeral1", "ebs1", "ami", "root"}) {
        CAPTURE(other);
        const auto known = tell(xen("xvdb", 16), {{"ephemeral0", "sdb"}, {other, "xvdb"}},
                                {{"ephemeral0", xvdb_node}, {other, xvdb_node}});
        CHECK(known.origin == Origin::unknown);
        CHECK_THAT(known.evidence, Catch::Contains("ephemeral0") && Catch::Contains(other));
    }
}

TEST_CASE("origin: sdb and xvdb are both there: neither is the one") {
    FakeKernel kernel;
    kernel.devices["/dev/sdb"].set(DeviceNumber{8, 16});
    kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
    const Mapping mapping{{"ephemeral0", "sdb"}};
    const auto nodes = resolve_mapping(kernel, mapping);
    CHECK(tell(xen("xvdb", 16), mapping, nodes).origin == Origin::unknown);
    auto scsi = xen("sdb", 16);
    scsi.major = 8;
    CHECK(tell(scsi, mapping, nodes).origin == Origin::unknown);
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
                           {{"ami", Nodes{{{202, 1}}}}, {"ephemeral0", Nodes{{{202, 0}}}}});
    CHECK(root.origin == Origin::unknown);
    CHECK_THAT(root.evidence, Catch::Contains("ami"));
    const auto part = tell(disk, {{"ephemeral0", "sda1"}}, {{"ephemeral0", Nodes{{{202, 1}}}}});
    CHECK(part.origin == Origin::unknown);
    // A whole disk may be called like a partition (paravirtual roots).
    const auto whole =
        tell(xen("xvda2", 2), {{"ephemeral0", "sda2"}}, {{"ephemeral0", Nodes{{{202, 2}}}}});
    CHECK(whole.origin == Origin::instance_store);
}

TEST_CASE("origin: a disk that may be ephemeral and of which nobody can tell is doubtful") {
    const auto disk = xen("xvdb", 16);
    const Mapping two{{"ephemeral0", "sdb"}, {"ebs1", "xvdb"}};
    CHECK(tell(disk, two, {{"ephemeral0", xvdb_node}, {"ebs1", xvdb_node}}).doubtful);
    const Mapping one{{"ephemeral0", "sdb"}};
    CHECK(tell(disk, one, {{"ephemeral0", fail(Errc::io, "input/output error")}}).doubtful);

    CHECK_FALSE(tell(disk, {}, {}).doubtful);
    CHECK_FALSE(tell(disk, {{"ami", "sdb"}}, {{"ami", xvdb_node}}).doubtful);
    CHECK_FALSE(tell(disk, one, {{"ephemeral0", xvdb_node}}).doubtful);
    CHECK_FALSE(tell(nvme("QEMU NVMe Ctrl"), {}, {}).doubtful);

    // Its model can't be read: it may be the one that says "instance store".
    auto sick = disk;
    sick.unknown.emplace_back("/sys/block/xvdb/device/model: input/output error");
    const auto known = tell(sick, {}, {});
    CHECK(known.doubtful);
    CHECK_THAT(known.evidence, Catch::Contains("device/model"));
}
