#include "probes/root_io.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t size = std::uint64_t{8} << 30;
const std::string node = "/dev/nvme0n1p1";

struct RootIoMachine {
    FakeSysfs sysfs;
    FakeClock clock;
    FakeKernel kernel{&clock};

    RootIoMachine() {
        sysfs.mount({259, 1}, "/");
        sysfs.block({259, 1}, "nvme0n1p1", size);
        kernel.reads[node].set(2ms);
        kernel.writes[root_probe_folder].set(5ms);
    }
    RootIo io(bool writes = true) { return {sysfs.files(), kernel, clock, 30s, writes}; }

    /// As the agent does: five looks a second, until something is wrong or the time is over.
    Duration until_failure(RootIo& io, Duration most = 300s) {
        const Instant start = clock.now();
        while (!io.failure() && clock.now() - start < most) {
            io.tick();
            clock.sleep_until(clock.now() + 200ms);
        }
        return clock.now() - start;
    }
};

} // namespace

TEST_CASE("root io: well, and tried again a second after the last time") {
    RootIoMachine machine;
    auto io = machine.io();
    machine.until_failure(io, 10s);
    CHECK_FALSE(io.failure());
    CHECK(machine.kernel.was_read.size() >= 8);
    CHECK(machine.kernel.was_read.size() <= 10);
    CHECK(machine.kernel.was_written.size() == machine.kernel.was_read.size());
    const auto before = machine.kernel.was_read.size();
    const auto finding = io.finish(Deadline::in(machine.clock, 10s));
    CHECK(finding.status == Status::pass);
    CHECK(finding.gating);
    CHECK(finding.message == "/ answers reads and writes");
    CHECK(finding.evidence["slowest_reads_seconds"] == Approx(0.002));
    CHECK(finding.evidence["slowest_writes_seconds"] == Approx(0.005));
    CHECK(finding.evidence["device"] == "nvme0n1p1");
    CHECK(machine.kernel.was_read.size() > before); // once more, at the end
    // The start, the end, and another place in between each time.
    const auto& first = machine.kernel.was_read[0].offsets;
    const auto& second = machine.kernel.was_read[1].offsets;
    CHECK(first[0] == 0);
    CHECK(first[2] == size - 4096);
    CHECK(first[1] != second[1]);
    for (const auto& read : machine.kernel.was_read) {
        CHECK(read.offsets[1] % 4096 == 0);
        CHECK(read.offsets[1] < size - 4096);
    }
}

TEST_CASE("root io: whoever only looks writes nothing") {
    RootIoMachine machine;
    auto io = machine.io(false);
    CHECK(io.finish(Deadline::in(machine.clock, 10s)).message == "/ answers reads");
    CHECK(machine.kernel.was_written.empty());
}

TEST_CASE("root io: stuck, by reads or by writes alone, told at its deadline") {
    for (const bool reads : {true, false}) {
        RootIoMachine machine;
        auto io = machine.io();
        machine.until_failure(io, 5s);
        auto& answers =
            reads ? machine.kernel.reads[node] : machine.kernel.writes[root_probe_folder];
        answers.set(fail(Errc::stuck, "x"));
        const auto took = machine.until_failure(io);
        CHECK(took >= 30s);
        CHECK(took <= 31500ms); // it may have begun a second later
        REQUIRE(io.failure());
        CHECK(io.failure()->code == "root-stuck");
        CHECK(io.failure()->gating);
        CHECK_THAT(io.failure()->message,
                   Catch::Contains(reads ? "/: reads have neither" : "/: writes have neither"));
        // Nobody else goes to a device that hangs.
        const auto tries = machine.kernel.was_read.size();
        machine.clock.advance(60s);
        io.tick();
        CHECK(machine.kernel.was_read.size() == tries);
        CHECK(io.finish(Deadline::in(machine.clock, 10s)).code == "root-stuck");
    }
}

TEST_CASE("root io: a stall that ends in time is evidence, no verdict") {
    RootIoMachine machine;
    machine.kernel.reads[node].set(29s);
    auto io = machine.io();
    machine.until_failure(io, 35s);
    CHECK_FALSE(io.failure());
    machine.kernel.reads[node].set(1ms);
    const auto finding = io.finish(Deadline::in(machine.clock, 60s));
    CHECK(finding.status == Status::pass);
    CHECK(finding.evidence["slowest_reads_seconds"] == Approx(29));
}

TEST_CASE("root io: at the end, what is under way is waited for, to the deadline") {
    RootIoMachine machine;
    machine.kernel.reads[node].set(fail(Errc::stuck, "x"));
    SECTION("to its own, which makes it stuck") {
        auto io = machine.io();
        io.tick();
        machine.clock.advance(10s);
        CHECK(io.finish(Deadline::in(machine.clock, 60s)).code == "root-stuck");
        CHECK(machine.clock.elapsed() == 30s);
    }
    SECTION("or to that of the job, and then it can't be told") {
        auto io = machine.io();
        io.tick();
        const auto finding = io.finish(Deadline::in(machine.clock, 8s));
        CHECK(finding.status == Status::unknown);
        CHECK(finding.gating);
        CHECK_THAT(finding.message, Catch::Contains("8.0 s ago has not come back"));
    }
}

TEST_CASE("root io: errors, each with its code, and the first stays") {
    struct Row {
        Errc error;
        const char* code;
    };
    for (const auto& row : {Row{Errc::io, "root-io-error"}, Row{Errc::read_only, "root-read-only"},
                            Row{Errc::full, "root-full"}}) {
        RootIoMachine machine;
        machine.kernel.writes[root_probe_folder].set(fail(row.error, "why"));
        auto io = machine.io();
        CHECK(machine.until_failure(io) < 1s);
        CHECK(io.failure()->code == row.code);
        machine.kernel.writes[root_probe_folder].set(1ms);
        CHECK(io.finish(Deadline::in(machine.clock, 60s)).code == row.code);
    }
}

TEST_CASE("root io: what can't be tried says nothing, unless nothing can be tried") {
    RootIoMachine machine;
    machine.kernel.reads[node].set(fail(Errc::denied, "not permitted"));
    SECTION("reads are denied, writes are well") {
        const auto finding = machine.io().finish(Deadline::in(machine.clock, 60s));
        CHECK(finding.status == Status::pass);
        CHECK(finding.message == "/ answers writes");
        CHECK(finding.evidence["no_reads"] == "not permitted");
    }
    SECTION("both are denied") {
        machine.kernel.writes[root_probe_folder].set(fail(Errc::denied, "not permitted"));
        const auto finding = machine.io().finish(Deadline::in(machine.clock, 60s));
        CHECK(finding.status == Status::unknown);
        CHECK(finding.gating);
    }
    SECTION("both were well, and can't be tried any more") {
        machine.kernel.reads[node].set(1ms);
        auto io = machine.io();
        CHECK(io.finish(Deadline::in(machine.clock, 60s)).status == Status::pass);
        machine.kernel.reads[node].set(fail(Errc::transient, "no helper"));
        machine.kernel.writes[root_probe_folder].set(fail(Errc::transient, "no helper"));
        const auto finding = io.finish(Deadline::in(machine.clock, 60s));
        CHECK(finding.status == Status::unknown);
        CHECK_THAT(finding.message, Catch::Contains("no helper"));
    }
    SECTION("no block device, and nothing is to be written") {
        machine.sysfs.forget_mounts();
        machine.sysfs.mount({0, 30}, "/", "rw", "/", "overlay");
        const auto finding = machine.io(false).finish(Deadline::in(machine.clock, 60s));
        CHECK(finding.status == Status::unknown);
        CHECK_THAT(finding.message, Catch::Contains("no block device"));
        CHECK_FALSE(finding.gating);
    }
}

TEST_CASE("root device: by its number, or by its name where the number is the filesystem's own") {
    RootIoMachine machine;
    const auto device = [&](Mount mount) { return root_device(machine.sysfs.files(), mount); };
    CHECK(device({.major = 259, .minor = 1})->name == "nvme0n1p1");
    CHECK(device({.major = 259, .minor = 1})->size == size);
    CHECK(device({.minor = 40, .source = "/dev/nvme0n1p1"})->name == "nvme0n1p1");
    CHECK_FALSE(device({.minor = 40, .source = "/dev/root"}));
    CHECK_FALSE(device({.minor = 40, .source = "overlay"}));
    for (const char* bad : {"", "0", "x", "18014398509481985"}) {
        machine.sysfs.put("/sys/class/block/nvme0n1p1/size", bad);
        CHECK_FALSE(device({.major = 259, .minor = 1}));
    }
}
