#include "tests/catch.h"
#include "tests/probes/ebs_machine.h"

using namespace muster;
using namespace muster::probes;

namespace {

/// A volume that answers reads, and is to be written to.
struct Writable : EbsMachine {
    Writable() {
        nvme("nvme1n1", 1, "vol0aa", "/dev/sdf");
        volume.write_probe = true;
    }
    Finding written() {
        auto report = probe(volume);
        CHECK(report.wait.outcome == "found");
        return report.finding;
    }
    ExpectedVolume volume{.name = "data", .volume_id = "vol-0aa"};
};

constexpr DeviceNumber number{259, 1};

} // namespace

TEST_CASE("ebs: writes only where it is asked for") {
    Writable machine;
    machine.sysfs.mount(number, "/data");
    machine.volume.write_probe = false;
    CHECK(machine.written().status == Status::pass);
    CHECK(machine.kernel.was_written.empty());
}

TEST_CASE("ebs: writes where the volume is mounted, a partition of it, or what is stacked on it") {
    Writable machine;
    machine.kernel.writes["/data"].set(20ms);
    SECTION("itself") {
        machine.sysfs.mount(number, "/data");
    }
    SECTION("a partition") {
        machine.sysfs.partition("nvme1n1", "nvme1n1p1", {259, 7});
        machine.sysfs.mount({259, 7}, "/data");
    }
    SECTION("LVM on LUKS on a partition") {
        machine.sysfs.partition("nvme1n1", "nvme1n1p1", {259, 7});
        machine.sysfs.holder("nvme1n1/nvme1n1p1", "dm-0");
        machine.sysfs.disk({.name = "dm-0", .number = {254, 0}});
        machine.sysfs.holder("dm-0", "dm-3");
        machine.sysfs.disk({.name = "dm-3", .number = {254, 3}});
        machine.sysfs.mount({254, 3}, "/data");
    }
    SECTION("the whole of it, not a folder that is bound elsewhere") {
        machine.sysfs.mount(number, "/data");
        machine.sysfs.mount(number, "/home", "rw", "/home");
        machine.sysfs.mount({259, 0}, "/other");
    }
    const auto finding = machine.written();
    CHECK(finding.status == Status::pass);
    CHECK(finding.evidence["write_seconds"] == 0.02);
    CHECK(machine.kernel.was_written == std::vector<std::string>{"/data"});
    CHECK(finding.message.ends_with("answers reads, and writes at /data"));
}

TEST_CASE("ebs: a write that fails, hangs or says nothing") {
    Writable machine;
    machine.sysfs.mount(number, "/data");
    struct Row {
        Errc code;
        Status status;
        const char* reason;
    };
    for (const Row& row : {Row{Errc::io, Status::fail, "ebs-io-error"},
                           Row{Errc::read_only, Status::fail, "ebs-io-error"},
                           Row{Errc::stuck, Status::fail, "ebs-stuck"},
                           Row{Errc::full, Status::unknown, "cannot-tell"},
                           Row{Errc::conflict, Status::unknown, "cannot-tell"},
                           Row{Errc::denied, Status::unknown, "cannot-tell"}}) {
        CAPTURE(row.code);
        machine.kernel.writes["/data"].set(fail(row.code, "as the kernel says"));
        const auto finding = machine.written();
        CHECK(finding.status == row.status);
        CHECK(finding.code == row.reason);
        CHECK(finding.gating);
        CHECK(finding.evidence["device"] == "/dev/nvme1n1");
    }
    CHECK(machine.clock.elapsed() < 31s);
}

TEST_CASE("ebs: a volume that is to be written to is waited for until it is mounted") {
    Writable machine;
    machine.volume.deadline = 20s;
    machine.kernel.writes["/data"].set(20ms);
    SECTION("it is, in time") {
        machine.clock.at = 5s;
        machine.clock.event = [&] { machine.sysfs.mount(number, "/data"); };
        CHECK(machine.written().status == Status::pass);
        CHECK(machine.clock.elapsed() < 6s);
        CHECK(machine.notices.back().find("mounted") != std::string::npos);
    }
    SECTION("it is not: nobody can tell") {
        const auto finding = machine.written();
        CHECK(finding.status == Status::unknown);
        CHECK(finding.message.find("write_probe") != std::string::npos);
        CHECK(machine.clock.elapsed() >= 20s);
        CHECK(machine.clock.elapsed() < 21s);
    }
    CHECK(machine.kernel.was_written.size() <= 1);
}

TEST_CASE(
    "ebs: two writes that hang take the time of one; one whose reads fail is not written to") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "/dev/sdf");
    machine.nvme("nvme2n1", 2, "vol0bb", "/dev/sdg");
    machine.nvme("nvme3n1", 3, "vol0cc", "/dev/sdh");
    machine.kernel.reads["/dev/nvme3n1"].set(fail(Errc::io, "x"));
    for (unsigned i = 1; i <= 3; ++i)
        machine.sysfs.mount({259, i}, "/data" + std::to_string(i));
    for (const char* folder : {"/data1", "/data2"})
        machine.kernel.writes[folder].set(fail(Errc::stuck, "x"));
    const auto reports = machine.probe(
        std::vector<ExpectedVolume>{{.name = "1", .volume_id = "vol-0aa", .write_probe = true},
                                    {.name = "2", .volume_id = "vol-0bb", .write_probe = true},
                                    {.name = "3", .volume_id = "vol-0cc", .write_probe = true}});
    CHECK(reports[0].finding.code == "ebs-stuck");
    CHECK(reports[1].finding.code == "ebs-stuck");
    CHECK(reports[2].finding.code == "ebs-io-error");
    CHECK(machine.kernel.was_written.size() == 2);
    CHECK(machine.clock.elapsed() < 31s);
}
