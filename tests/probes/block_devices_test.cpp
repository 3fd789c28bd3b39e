#include "probes/block_devices.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;
using Strings = std::vector<std::string>;

namespace {

constexpr auto instance_store = "Amazon EC2 NVMe Instance Storage";

struct BlockDevicesMachine {
    FakeSysfs sysfs;
    FakeKernel kernel;

    std::vector<Disk> read() {
        auto disks = read_disks(sysfs.files(), kernel);
        REQUIRE(disks);
        return *disks;
    }
    Disk only() {
        const auto disks = read();
        REQUIRE(disks.size() == 1);
        return disks.front();
    }
    void add(const std::string& name, DeviceNumber number) {
        sysfs.disk({.name = name, .number = number, .model = instance_store, .serial = "AWS1"});
    }
};

} // namespace

TEST_CASE("disks: an NVMe disk with all that is known of it") {
    BlockDevicesMachine machine;
    machine.sysfs.disk({.name = "nvme1n1",
                        .number = {259, 1},
                        .size = 512 * 2048,
                        .model = instance_store,
                        .serial = "AWS123",
                        .read_only = true});
    const auto disk = machine.only();
    CHECK(disk.name == "nvme1n1");
    CHECK(disk.node == "/dev/nvme1n1");
    CHECK(disk.major == 259);
    CHECK(disk.minor == 1);
    CHECK(disk.size == 512 * 2048);
    CHECK(disk.sector_size == 512);
    CHECK(disk.model == instance_store);
    CHECK(disk.serial == "AWS123");
    CHECK(disk.read_only);
    CHECK(disk.unknown == Strings{});
}

TEST_CASE("disks: native multipath: the disk once, its hidden paths not at all") {
    BlockDevicesMachine machine;
    machine.add("nvme1n1", {259, 1}); // below nvme-subsysN, where model and serial stand too
    machine.sysfs.put("/sys/block/nvme1n1/hidden", "0\n");
    for (const char* path : {"nvme1c1n1", "nvme1c2n1"}) {
        machine.add(path, {0, 0});
        machine.sysfs.put("/sys/block/" + std::string(path) + "/hidden", "1\n");
        machine.sysfs.drop("/sys/block/" + std::string(path) + "/dev"); // as the kernel has it
    }
    CHECK(machine.only().name == "nvme1n1");
}

TEST_CASE("disks: sorted, and nothing that LVM takes no physical volume on") {
    BlockDevicesMachine machine;
    for (const char* name :
         {"xvdb", "nvme0n1", "dm-0", "md0", "ram0", "sr0", "fd0", "zram0", "nbd0", "loop3"}) {
        machine.add(name, {7, 0});
    }
    Strings names;
    for (const auto& disk : machine.read())
        names.push_back(disk.name);
    CHECK(names == Strings{"loop3", "nbd0", "nvme0n1", "ram0", "xvdb", "zram0"});
}

TEST_CASE("disks: a node with nothing behind it is passed over, a disk of no size is not") {
    BlockDevicesMachine machine;
    for (const char* name : {"loop0", "nbd0", "ram0", "zram0"})
        machine.sysfs.disk({.name = name, .number = {7, 0}, .size = 0});
    machine.sysfs.disk({.name = "nvme1n1", .number = {259, 1}, .size = 0, .model = "x"});
    CHECK(machine.only().name == "nvme1n1");
}

TEST_CASE("disks: a Xen disk has neither model nor serial, and that is no gap") {
    BlockDevicesMachine machine;
    machine.sysfs.disk({.name = "xvdb", .number = {202, 16}});
    const auto disk = machine.only();
    CHECK(disk.model.empty());
    CHECK(disk.serial.empty());
    CHECK(disk.xen.empty());
    CHECK(disk.unknown.empty());
    machine.sysfs.put("/sys/block/xvdb/device/nodename", "device/vbd/51728\n");
    CHECK(machine.only().xen == "device/vbd/51728");
}

TEST_CASE("disks: partitions, and holders of either") {
    BlockDevicesMachine machine;
    machine.add("xvdb", {202, 16});
    machine.sysfs.partition("xvdb", "xvdb1", {202, 17});
    machine.sysfs.holder("xvdb", "dm-0");
    machine.sysfs.holder("xvdb/xvdb1", "md0");
    const auto disk = machine.only();
    CHECK(disk.partitions == Strings{"xvdb1"});
    CHECK(disk.holders == Strings{"dm-0", "md0"});
}

TEST_CASE("disks: mounts of it and of its partitions, bind mounts too") {
    BlockDevicesMachine machine;
    machine.add("xvdb", {202, 16});
    machine.add("xvdc", {202, 32});
    machine.sysfs.partition("xvdb", "xvdb1", {202, 17});
    machine.sysfs.mount({202, 17}, "/mnt/my\\040data");
    machine.sysfs.mount({202, 17}, "/srv", "rw", "/folder"); // a bind mount
    machine.sysfs.mount({202, 16}, "/whole");
    machine.sysfs.mount({0, 21}, "/proc", "rw", "/", "proc");
    const auto disks = machine.read();
    CHECK(disks[0].mounts == Strings{"/mnt/my data", "/srv", "/whole"});
    CHECK(disks[1].mounts == Strings{});
}

TEST_CASE("disks: swapped to, also on a partition") {
    BlockDevicesMachine machine;
    for (const auto& [name, minor] : {std::pair{"xvdb", 16U}, {"xvdc", 32U}, {"xvdd", 48U}})
        machine.add(name, {202, minor});
    machine.sysfs.partition("xvdb", "xvdb1", {202, 17});
    machine.sysfs.swap("/dev/xvdb1");
    machine.sysfs.swap("/dev/xvdc");
    machine.sysfs.swap("/swapfile", "file");
    machine.kernel.devices["/dev/xvdb1"].set(DeviceNumber{202, 17});
    machine.kernel.devices["/dev/xvdc"].set(DeviceNumber{202, 32});
    machine.kernel.devices["/swapfile"].set(fail(Errc::malformed, "not a block device"));
    const auto disks = machine.read();
    CHECK(disks[0].swap);
    CHECK(disks[1].swap);
    CHECK_FALSE(disks[2].swap);

    // Which of the disks is it? Nobody knows, so none is known to be free.
    machine.sysfs.swap("/dev/xvdd\\040(deleted)");
    machine.kernel.devices["/dev/xvdd\\040(deleted)"].set(fail(Errc::absent, "no such node"));
    const auto unsure = read_disks(machine.sysfs.files(), machine.kernel);
    REQUIRE_FALSE(unsure);
    CHECK_THAT(unsure.error().message, Catch::Contains("/dev/xvdd"));
}

TEST_CASE("disks: a kernel without swap") {
    BlockDevicesMachine machine;
    machine.add("xvdb", {202, 16});
    machine.sysfs.drop("/proc/swaps");
    CHECK_FALSE(machine.only().swap);
    machine.sysfs.spoil("/proc/swaps");
    CHECK_FALSE(read_disks(machine.sysfs.files(), machine.kernel));
}

TEST_CASE("disks: what can't be read stands in `unknown`, never in a default") {
    for (const char* attribute :
         {"size", "dev", "ro", "queue/logical_block_size", "device/model", "device/serial",
          "device/nodename", "holders", "xvdb1/dev", "xvdb1/holders"}) {
        CAPTURE(attribute);
        BlockDevicesMachine machine;
        machine.add("xvdb", {202, 16});
        machine.sysfs.partition("xvdb", "xvdb1", {202, 17});
        const std::string path = "/sys/block/xvdb/" + std::string(attribute);
        CHECK(machine.only().unknown.empty());
        if (path.ends_with("holders")) {
            machine.sysfs.drop(path);
            machine.sysfs.put(path, "a file");
        } else {
            machine.sysfs.spoil(path);
        }
        CHECK(machine.only().unknown.size() == 1);
    }
}

TEST_CASE("disks: garbage in a number is not a number") {
    for (const char* attribute : {"size", "dev", "ro", "queue/logical_block_size", "xvdb1/dev"}) {
        for (const char* garbage : {"", "x", "12x", "-1", "259", "1:", "99999999999999999999999"}) {
            const std::string path = attribute;
            if (!path.ends_with("dev") && garbage == std::string("259")) continue; // is a number
            CAPTURE(attribute, garbage);
            BlockDevicesMachine machine;
            machine.add("xvdb", {202, 16});
            machine.sysfs.partition("xvdb", "xvdb1", {202, 17});
            machine.sysfs.put("/sys/block/xvdb/" + path, garbage);
            CHECK(machine.only().unknown.size() == 1);
        }
    }
}

TEST_CASE("disks: what concerns all of them is an error") {
    BlockDevicesMachine machine;
    machine.add("xvdb", {202, 16});
    SECTION("mountinfo is garbage") {
        machine.sysfs.put("/proc/self/mountinfo", "garbage\n");
    }
    SECTION("mountinfo is cut short") {
        machine.sysfs.put("/proc/self/mountinfo", "22 1 202:16");
    }
    SECTION("mountinfo is gone") {
        machine.sysfs.drop("/proc/self/mountinfo");
    }
    SECTION("/sys is not mounted") {
        machine.sysfs.drop("/sys");
    }
    const auto disks = read_disks(machine.sysfs.files(), machine.kernel);
    REQUIRE_FALSE(disks);
    CHECK_THAT(disks.error().message, Catch::StartsWith("disks: "));
}

TEST_CASE("mapped names: sdb is /dev/sdb, or /dev/xvdb, or both") {
    FakeKernel kernel;
    using Nodes = std::vector<DeviceNode>;
    const auto absent = fail(Errc::absent, "no such node");
    kernel.devices["/dev/sdb"].set(absent);
    kernel.devices["/dev/xvdb"].set(absent);
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{});
    kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{202, 16}}});
    CHECK(resolve_mapped_name(kernel, "xvdb") == Nodes{{{202, 16}}});
    kernel.devices["/dev/sdb"].set(DeviceNumber{202, 16}); // a link to the same
    kernel.links.insert("/dev/sdb");
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{202, 16}}});
    kernel.devices["/dev/xvdb"].set(absent);
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{202, 16}, true}});
    kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
    kernel.devices["/dev/sdb"].set(DeviceNumber{202, 32}); // a link to another
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{202, 32}, true}, {{202, 16}, false}});
    kernel.links.clear();
    kernel.devices["/dev/sdb"].set(DeviceNumber{8, 16});
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{8, 16}}, {{202, 16}}});
    kernel.devices["/dev/sdb"].set(fail(Errc::malformed, "a plain file"));
    CHECK(resolve_mapped_name(kernel, "sdb") == Nodes{{{202, 16}}});
    kernel.devices["/dev/sdb"].set(fail(Errc::denied, "who knows"));
    CHECK_FALSE(resolve_mapped_name(kernel, "sdb"));
}

TEST_CASE("device names: three names of one thing") {
    CHECK(same_device_name("/dev/sdf", "sdf"));
    CHECK(same_device_name("xvdf", "/dev/sdf"));
    CHECK(same_device_name("sda1", "xvda1"));
    CHECK(same_device_name("xvdba", "sdba"));
    CHECK_FALSE(same_device_name("sdf", "sdg"));
    CHECK_FALSE(same_device_name("sda1", "sda"));
    CHECK_FALSE(same_device_name("nvme1n1", "sdb"));
}

TEST_CASE("swaps: the paths, without the header") {
    CHECK(parse_swaps("Filename Type Size Used Priority\n/dev/sda2\tpartition\t1\t0\t-2\n"
                      "/swap file 1 0 -3") == Strings{"/dev/sda2", "/swap"});
    CHECK(parse_swaps("") == Strings{});
    CHECK(parse_swaps("Filename\n") == Strings{});
}

TEST_CASE("disks: a mount in another mount namespace is a mount") {
    BlockDevicesMachine machine;
    machine.add("nvme1n1", {259, 1});
    machine.sysfs.mount({259, 7}, "/");
    machine.sysfs.mount_elsewhere(812, {259, 1}, "/srv");
    machine.sysfs.put("/proc/813/mountinfo", "30 1 259:1 / /x rw - ext4 /dev/x rw\n"); // no ns
    machine.sysfs.put("/proc/uptime", "1 1\n");
    CHECK(machine.only().mounts == Strings{"/srv (in the mount namespace of process 812)"});
}
