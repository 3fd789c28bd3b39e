// The boot job: what goes on while the metadata are being confirmed.
#include "agent/sys/lock.h"
#include "tests/agent/boot_machine.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("boot: what needs no metadata is looked at while they are being confirmed") {
    BootMachine machine;
    machine.config.mode = Mode::observe;
    machine.sysfs.put("/usr/sbin/lvm", "");
    machine.commands.prints("LVM_SYSTEM_DIR= /usr/sbin/lvm version", "LVM version: 2.03.16(2)\n");
    // What had been looked at when the metadata was first asked for.
    std::optional<std::size_t> looked;
    std::size_t asked = 0;
    machine.metadata.rule = [&](const std::string&) {
        if (!looked) {
            looked = machine.kernel.was_probed.size();
            asked = machine.commands.ran.size();
        }
        return std::nullopt;
    };
    SECTION("an ephemeral disk and LVM, once") {
        machine.ephemeral("nvme1n1");
        CHECK(told(machine.boots()) == "ready");
        CHECK(looked == 1);
        CHECK(asked == 1);
        CHECK(machine.kernel.was_probed == std::vector<std::string>{"/dev/nvme1n1"});
        CHECK(machine.commands.ran.size() == 1);
    }
    SECTION("what only the metadata can tell of is left alone") {
        machine.sysfs.disk({.name = "xvdb", .number = {202, 16}, .size = 100 * GiB});
        machine.kernel.devices["/dev/xvdb"].set(DeviceNumber{202, 16});
        (void)machine.boots();
        CHECK(looked == 0);
        CHECK(asked == 1);
        CHECK(machine.kernel.was_probed.empty());
    }
    SECTION("where EBS is all there is LVM need not be asked") {
        machine.sysfs.disk({.name = "nvme0n1",
                            .number = {259, 1},
                            .size = 100 * GiB,
                            .model = "Amazon Elastic Block Store",
                            .serial = "vol1"});
        machine.kernel.devices["/dev/nvme0n1"].set(DeviceNumber{259, 1});
        machine.kernel.identities["/dev/nvme0n1"].set(std::string(4096, '\0'));
        CHECK(told(machine.boots()) == "ready");
        CHECK(machine.commands.ran.empty());
    }
    SECTION("the disks may be none of ours") {
        machine.ephemeral("nvme1n1");
        auto& expect = machine.config.ephemeral.expect;
        SECTION("on no type") {
            expect.otherwise = {.kind = Expectation::Kind::none};
        }
        SECTION("on this one") {
            expect.by_type["m3.large"] = {.kind = Expectation::Kind::none};
        }
        (void)machine.boots();
        CHECK(looked == 0);
        CHECK(asked == 0);
    }
    SECTION("side by side: a slow look costs no more than itself") {
        machine.ephemeral("nvme1n1");
        machine.kernel.contents["/dev/nvme1n1"].set(fail(Errc::stuck, "slow"));
        CHECK(told(machine.boots()) == "ephemeral-stuck!");
        CHECK(machine.clock.elapsed() == 20s); // and not the readings' time besides
    }
    SECTION("a command of an earlier run still writes") {
        machine.ephemeral("nvme1n1");
        const auto path = machine.sysfs.files().real("/run/muster/disks.lock").string();
        const auto lock = Lock::take(path);
        REQUIRE(lock);
        CHECK(told(machine.boots()) == "ephemeral-stuck!");
        CHECK(machine.kernel.was_probed.empty());
    }
}
