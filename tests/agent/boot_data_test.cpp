// The boot job: what is proved of the disks' data, on which the advice to recreate rests.
#include "tests/agent/boot_machine.h"

using namespace muster;

namespace {

/// Something that nobody can tell, and that has nothing to do with the disks.
BootMachine& with_doubtful_root(BootMachine& machine) {
    machine.kernel.spaces["/"].set(fail(Errc::denied, "?"));
    return machine;
}

/// LVM is there, and says no more than its version.
BootMachine& with_broken_lvm(BootMachine& machine) {
    machine.sysfs.put("/usr/sbin/lvm", "");
    machine.commands.answer_with([](const Command& command) {
        CommandOutput output{.exit_status = 5, .err = "  Volume group is broken.\n"};
        if (command.argv[1] == "version") output = {.out = "LVM version: 2.03.16(2)\n"};
        return std::optional<Result<CommandOutput>>(std::move(output));
    });
    return machine;
}

} // namespace

TEST_CASE("boot: a machine without disks has no data, if that was looked at") {
    BootMachine machine;
    SECTION("whatever their number") {}
    SECTION("none is expected") {
        machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::none};
    }
    CHECK(told(with_doubtful_root(machine).boots()) == "cannot-tell!");
}

TEST_CASE("boot: disks that the configuration leaves alone may hold data") {
    BootMachine machine;
    machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::none};
    SECTION("one is there") {
        machine.ephemeral("nvme1n1");
    }
    SECTION("one may still come") {
        machine.sysfs.put("/sys/class/nvme/nvme1/model", instance_storage);
    }
    SECTION("it can't be told") {
        machine.sysfs.spoil("/sys/block");
        machine.sysfs.drop("/sys/block");
    }
    CHECK(told(with_doubtful_root(machine).boots()) == "cannot-tell");
    CHECK(machine.nothing_was_done());
}

TEST_CASE("boot: blank disks and an assembly that fails: a new machine is better") {
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    const auto verdict = with_broken_lvm(machine).boots();
    CHECK(told(verdict) == "assembly-failed!");
    CHECK_THAT(verdict.message,
               Catch::EndsWith(": lvm vgcreate failed (status 5): Volume group is broken"));
}

TEST_CASE("boot: without an inventory, or too few disks, nothing is proved") {
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    SECTION("no metadata") {
        machine.metadata.rule = [](const std::string&) { return fail(Errc::refused, "x"); };
        CHECK(told(machine.boots()) == "metadata-unavailable!");
    }
    SECTION("one is missing") {
        machine.config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::exactly,
                                                     .count = 2};
        CHECK(told(machine.boots()) == "ephemeral-missing!");
    }
    CHECK_FALSE(machine.record.without_data);
}

TEST_CASE("boot: data on one disk, and whatever else can't be told") {
    BootMachine machine;
    machine.ephemeral("nvme1n1");
    machine.ephemeral("nvme2n1", "ext4");
    machine.config.ephemeral.layout.on_foreign_data = lvm::ForeignData::wipe;
    machine.config.mode = Mode::observe; // it may go, and stays
    CHECK(told(with_doubtful_root(machine).boots()) == "cannot-tell");
}
