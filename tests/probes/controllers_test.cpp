#include "probes/controllers.h"
#include "tests/catch.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;

namespace {

constexpr const char* instance_storage = "Amazon EC2 NVMe Instance Storage        \n";
constexpr const char* ebs = "Amazon Elastic Block Store              \n";

struct Bus : FakeSysfs {
    std::string device(const std::string& address, const char* vendor, const char* kind) {
        const auto at = "/sys/bus/pci/devices/" + address;
        put(at + "/vendor", vendor);
        put(at + "/class", kind);
        return at;
    }
};

} // namespace

TEST_CASE("controllers: a machine without PCI and NVMe has none") {
    Bus bus;
    const auto found = read_controllers(bus.files());
    REQUIRE(found);
    CHECK(found->untaken == 0);
    CHECK(found->instance_store == 0);
}

TEST_CASE("controllers: Amazon's, and whether a driver has taken them") {
    Bus bus;
    const auto first = bus.device("0000:00:1e.0", "0x1d0f\n", "0x010802\n");
    bus.device("0000:00:1f.0", "0x1d0f\n", "0x010802\n");
    bus.device("0000:00:05.0", "0x1d0f\n", "0x020000\n"); // its network
    bus.device("0000:00:06.0", "0x8086\n", "0x010802\n"); // somebody else's NVMe
    CHECK(read_controllers(bus.files())->untaken == 2);
    bus.folder(first + "/driver"); // the kernel's own, or vfio
    CHECK(read_controllers(bus.files())->untaken == 1);
}

TEST_CASE("controllers: of ephemeral disks, by their model") {
    Bus bus;
    bus.put("/sys/class/nvme/nvme0/model", ebs);
    bus.put("/sys/class/nvme/nvme1/model", instance_storage);
    bus.put("/sys/class/nvme/nvme2/model", instance_storage);
    bus.folder("/sys/class/nvme/nvme3"); // just going
    CHECK(read_controllers(bus.files())->instance_store == 2);
}

TEST_CASE("controllers: what can't be read is an error, never none") {
    Bus bus;
    SECTION("a model") {
        bus.put("/sys/class/nvme/nvme0/model", ebs);
        bus.spoil("/sys/class/nvme/nvme0/model");
    }
    SECTION("a vendor") {
        bus.device("0000:00:1e.0", "0x1d0f\n", "0x010802\n");
        bus.spoil("/sys/bus/pci/devices/0000:00:1e.0/vendor");
    }
    CHECK_FALSE(read_controllers(bus.files()));
}
