#include "probes/root_volume.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

struct RootVolumeMachine {
    FakeSysfs sysfs;
    FakeClock clock;
    FakeKernel kernel{&clock};

    RootVolumeMachine() { kernel.spaces["/"].set(Space{1000, 50, 1000, 50}); }

    std::vector<Finding> probe(Duration deadline = 300s) {
        return probe_root(sysfs.files(), kernel, clock, {}, Deadline::in(clock, deadline));
    }
    Finding probe(const std::string& subject) {
        for (auto& finding : probe()) {
            if (finding.subject == subject) return finding;
        }
        FAIL("no finding on " << subject);
        return {};
    }
};

} // namespace

TEST_CASE("root: writable, and with room") {
    RootVolumeMachine machine;
    machine.sysfs.mount({259, 1}, "/");
    const auto findings = machine.probe();
    REQUIRE(findings.size() == 3);
    for (const auto& finding : findings) {
        CHECK(finding.check == "root");
        CHECK(finding.status == Status::pass);
        CHECK(finding.gating);
    }
}

TEST_CASE("root: read-only per mount, or per superblock") {
    RootVolumeMachine machine;
    SECTION("mount") {
        machine.sysfs.mount({259, 1}, "/", "ro,relatime");
    }
    SECTION("superblock") {
        machine.sysfs.mount({259, 1}, "/", "rw", "/", "ext4", "ro,errors=x");
    }
    const auto finding = machine.probe("mount");
    CHECK(finding.status == Status::fail);
    CHECK(finding.code == "root-read-only");
}

TEST_CASE("root: what an initramfs left below it does not count") {
    RootVolumeMachine machine;
    SECTION("a read-only one below a writable one") {
        machine.sysfs.mount({0, 2}, "/", "ro", "/", "rootfs");
        machine.sysfs.mount({259, 1}, "/");
        CHECK(machine.probe("mount").status == Status::pass);
    }
    SECTION("a writable one below a read-only one") {
        machine.sysfs.mount({0, 2}, "/", "rw", "/", "rootfs");
        machine.sysfs.mount({259, 1}, "/", "ro");
        CHECK(machine.probe("mount").code == "root-read-only");
    }
    SECTION("\"rootro\" is no option of that name, nor is another mount's") {
        machine.sysfs.mount({259, 1}, "/", "rw,rootro");
        machine.sysfs.mount({259, 1}, "/usr", "ro");
        CHECK(machine.probe("mount").status == Status::pass);
    }
}

TEST_CASE("root: no mount to be found is unknown") {
    RootVolumeMachine machine;
    SECTION("nothing at /") {
        machine.sysfs.mount({259, 1}, "/usr");
    }
    SECTION("garbage") {
        machine.sysfs.put("/proc/self/mountinfo", "garbage\n");
    }
    SECTION("gone") {
        machine.sysfs.drop("/proc/self/mountinfo");
    }
    const auto finding = machine.probe("mount");
    CHECK(finding.status == Status::unknown);
    CHECK(finding.code == "cannot-tell");
}

TEST_CASE("root: full, of bytes or of inodes") {
    RootVolumeMachine machine;
    machine.sysfs.mount({259, 1}, "/");
    machine.kernel.spaces["/"].set(Space{1000, 49, 1000, 50});
    CHECK(machine.probe("bytes").code == "root-full");
    CHECK(machine.probe("inodes").status == Status::pass);
    machine.kernel.spaces["/"].set(Space{1000, 50, 1000, 49});
    CHECK(machine.probe("bytes").status == Status::pass);
    CHECK(machine.probe("inodes").code == "root-full");
}

TEST_CASE("root: a filesystem that counts no inodes is not out of them") {
    RootVolumeMachine machine;
    machine.sysfs.mount({259, 1}, "/");
    machine.kernel.spaces["/"].set(Space{1000, 500, 0, 0});
    const auto findings = machine.probe();
    REQUIRE(findings.size() == 2);
    CHECK(findings[1].subject == "bytes");
}

TEST_CASE("root: stuck within its own deadline, an I/O error, or not known") {
    struct Row {
        Errc error;
        Status status;
        const char* code;
    };
    for (const auto& row : {Row{Errc::stuck, Status::fail, "root-stuck"},
                            Row{Errc::io, Status::fail, "root-io-error"},
                            Row{Errc::denied, Status::unknown, "cannot-tell"}}) {
        CAPTURE(row.code);
        RootVolumeMachine machine;
        machine.sysfs.mount({259, 1}, "/");
        machine.kernel.spaces["/"].set(fail(row.error, "x"));
        const auto finding = machine.probe("space");
        CHECK(finding.status == row.status);
        CHECK(finding.code == row.code);
        CHECK(machine.clock.elapsed() == (row.error == Errc::stuck ? 30s : 0s));
    }
}
