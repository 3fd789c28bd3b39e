#include "probes/witnesses.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;

namespace {

constexpr const char* asset_tag = "/sys/class/dmi/id/board_asset_tag";

Identity identity_of(const std::string& id) {
    return {id, "m3.large", "ami-1", "123456789012", "eu-west-1", "eu-west-1a"};
}

/// A Xen machine: /dev/xvda1 is the root, /dev/xvdb the one ephemeral disk.
struct Xen {
    Xen() {
        add("xvda1", {202, 1});
        add("xvdb", {202, 16});
        for (const char* none : {"sda1", "sdb", "sdc", "xvdc"})
            kernel.devices[fmt::format("/dev/{}", none)].set(
                fail(Errc::absent, "no such file or directory"));
    }
    void add(const std::string& name, DeviceNumber number) {
        sysfs.disk({.name = name, .number = number});
        kernel.devices["/dev/" + name].set(number);
    }
    std::optional<std::string> against(const Mapping& mapping) {
        return kernel_witnesses(sysfs.files(), kernel).mapping(mapping);
    }

    FakeSysfs sysfs;
    FakeKernel kernel;
};

const Mapping whole{{"ami", "sda1"}, {"ephemeral0", "sdb"}, {"root", "sda1"}};

} // namespace

TEST_CASE("witnesses: the firmware's instance id") {
    FakeSysfs sysfs;
    FakeKernel kernel;
    const auto against = [&](const char* id) {
        return kernel_witnesses(sysfs.files(), kernel).identity(identity_of(id));
    };
    CHECK_FALSE(against("i-0abc")); // nothing is known
    sysfs.put(asset_tag, "i-0abc\n");
    CHECK(firmware_instance_id(sysfs.files()) == "i-0abc");
    CHECK_FALSE(against("i-0abc"));
    CHECK(against("i-0def") == "it says i-0def, the firmware says i-0abc");
    for (const char* other : {"Not Specified\n", "\n", "i-0123456789012345678901234567890123\n"}) {
        sysfs.put(asset_tag, other); // another vendor's
        CHECK(firmware_instance_id(sysfs.files()).empty());
        CHECK_FALSE(against("i-0def"));
    }
}

TEST_CASE("witnesses: a mapping that fits the kernel's disks") {
    Xen xen;
    CHECK_FALSE(xen.against(whole));
    xen.sysfs.disk({.name = "loop0", .number = {7, 0}}); // no mapping names that
    xen.sysfs.disk({.name = "dm-0", .number = {253, 0}});
    CHECK_FALSE(xen.against(whole));
    // Of the root we know that it is there: its name is in the image's words.
    auto odd = whole;
    odd["ami"] = "sdc";
    CHECK_FALSE(xen.against(odd));
}

TEST_CASE("witnesses: the root is a partition of a disk that is mapped by its first") {
    Xen xen;
    xen.sysfs.drop("/sys/block/xvda1");
    xen.sysfs.disk({.name = "xvda", .number = {202, 0}});
    CHECK_FALSE(xen.against(whole));
}

TEST_CASE("witnesses: a disk that is listed and isn't there, and the other way round") {
    Xen xen;
    auto more = whole;
    more["ephemeral1"] = "sdc";
    CHECK(xen.against(more) == "it says that ephemeral1 is sdc, and the kernel has no such disk");
    auto fewer = whole;
    fewer.erase("ephemeral0");
    CHECK(xen.against(fewer) == "it does not name xvdb, which the kernel has");
    // A node that can't be asked about is no witness.
    xen.kernel.devices["/dev/sdc"].set(fail(Errc::denied, "no"));
    CHECK_FALSE(xen.against(more));
}

TEST_CASE("witnesses: with NVMe the kernel's names say nothing of the mapping's") {
    Xen xen;
    xen.sysfs.disk({.name = "nvme0n1", .number = {259, 0}});
    auto more = whole;
    more["ephemeral1"] = "sdc";
    CHECK_FALSE(xen.against(more));
}
