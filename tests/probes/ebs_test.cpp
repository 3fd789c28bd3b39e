#include <algorithm>

#include "probes/attach_polls.h"
#include "probes/ebs.h"
#include "tests/catch.h"
#include "tests/probes/ebs_machine.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

const ExpectedVolume by_name{.name = "data", .device = "/dev/sdf"};
const ExpectedVolume by_id{.name = "data", .volume_id = "vol-0aa"};
const ExpectedVolume by_both{.name = "data", .device = "sdf", .volume_id = "vol-0aa"};

void check_pass(const VolumeReport& report, const std::string& node) {
    CHECK(report.finding.status == Status::pass);
    CHECK(report.finding.evidence["device"] == node);
    CHECK(report.wait.outcome == "found");
}

} // namespace

TEST_CASE("ebs: found by its serial, whatever the node is called") {
    EbsMachine machine;
    machine.nvme("nvme0n1", 0, "vol0ff", "/dev/xvda");
    machine.nvme("nvme2n1", 2, "vol0aa", "/dev/sdq");
    check_pass(machine.probe(by_id), "/dev/nvme2n1");
    check_pass(machine.probe(by_both), "/dev/nvme2n1");
    // Start, middle and end were read, past the cache.
    REQUIRE_FALSE(machine.kernel.was_read.empty());
    const std::uint64_t size = std::uint64_t{1} << 30;
    CHECK(machine.kernel.was_read[0].offsets ==
          std::vector<std::uint64_t>{0, size / 2, size - 4096});
}

TEST_CASE("ebs: found by the name that Identify gives") {
    for (const std::string name : {"/dev/sdf", "sdf", "xvdf"}) {
        for (const auto& padding : {std::string(), std::string(32 - name.size(), ' ')}) {
            CAPTURE(name, padding.size());
            EbsMachine machine;
            machine.nvme("nvme1n1", 1, "vol0aa", name + padding);
            check_pass(machine.probe(by_name), "/dev/nvme1n1");
        }
    }
}

TEST_CASE("ebs: the vendor's name in Identify's data") {
    CHECK(parse_vendor_name(identify_data("/dev/sdf")) == "/dev/sdf");
    CHECK(parse_vendor_name(identify_data("sdf                             ")) == "sdf");
    CHECK(parse_vendor_name(identify_data(std::string("sdf\0garbage", 11))) == "sdf");
    CHECK(parse_vendor_name(identify_data(std::string(32, 'x'))) == std::string(32, 'x'));
    CHECK(parse_vendor_name(identify_data("sd\x01")).empty());
    CHECK(parse_vendor_name(identify_data("ephemeral0:sdh \xff")).empty());
    CHECK(parse_vendor_name(identify_data("")).empty());
    CHECK(parse_vendor_name(identify_data("sdf").substr(0, 3103)).empty());
    CHECK(parse_vendor_name("").empty());
}

namespace {

/// Nothing is told by it: only the planned looks are left.
class SilentKernel : public FakeKernel {
  public:
    explicit SilentKernel(FakeClock& clock) : FakeKernel(&clock), clock_(clock) {}
    std::unique_ptr<BlockWatch> watch_blocks() override {
        class Silent : public BlockWatch {
          public:
            explicit Silent(FakeClock& clock) : clock_(clock) {}
            void wait(Instant until) override { clock_.sleep_until(until); }

          private:
            FakeClock& clock_;
        };
        return std::make_unique<Silent>(clock_);
    }

  private:
    FakeClock& clock_;
};

std::vector<Duration> looks_at(std::optional<std::vector<Duration>> polls, Duration deadline) {
    FakeSysfs sysfs;
    FakeClock clock;
    SilentKernel kernel(clock);
    for (const char* node : {"/dev/sdf", "/dev/xvdf"})
        kernel.devices[node].set(fail(Errc::absent, "no such node"));
    const auto reports = probe_volumes(
        sysfs.files(), kernel, clock,
        {{.name = "data", .device = "/dev/sdf", .deadline = deadline, .polls = polls}}, 30s,
        Deadline::in(clock, 300s), [](std::string_view, Instant) {});
    CHECK(reports.front().finding.code == "ebs-missing");
    CHECK(reports.front().wait.polls == clock.slept.size() + 1); // and one at the beginning
    std::vector<Duration> looks;
    Duration at{};
    for (const auto slept : clock.slept)
        looks.push_back(at += slept);
    return looks;
}

} // namespace

TEST_CASE("ebs: without an event it is looked for as planned, and at the deadline") {
    CHECK(looks_at(std::vector<Duration>{1s, 2500ms, 90s}, 10s) ==
          std::vector<Duration>{1s, 2500ms, 10s});
    const auto built_in = looks_at(std::nullopt, 12s);
    REQUIRE(built_in.size() > 3);
    CHECK(built_in.front() == attach_polls.front());
    CHECK(built_in.back() == 12s);
}

TEST_CASE("ebs: an instance store that says the same name is not it") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "AWS1", "sdf");
    machine.sysfs.put("/sys/block/nvme1n1/device/model", instance_store_model);
    auto volume = by_name;
    volume.deadline = 1s;
    CHECK(machine.probe(volume).finding.code == "ebs-missing");
}

TEST_CASE("ebs: a disk without a name is not the one without a name") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "");
    machine.kernel.devices["/dev/sd"].set(fail(Errc::absent, ""));
    machine.kernel.devices["/dev/xvd"].set(fail(Errc::absent, ""));
    CHECK(machine.probe({.name = "data", .device = "/dev/sd", .deadline = 1s}).finding.code ==
          "ebs-missing");
}

TEST_CASE("ebs: on Xen by the kernel's name for it") {
    EbsMachine machine;
    machine.xen("xvdf", 80);
    check_pass(machine.probe(by_name), "/dev/xvdf");
    check_pass(machine.probe(by_both), "/dev/xvdf"); // no serial to hold against it
}

TEST_CASE("ebs: the wrong volume at the right name") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0bb", "sdf");
    const auto report = machine.probe(by_both);
    CHECK(report.finding.status == Status::fail);
    CHECK(report.finding.code == "ebs-wrong");
    CHECK_THAT(report.finding.message, Catch::Contains("vol0bb") && Catch::Contains("vol-0aa"));
    CHECK(machine.kernel.was_read.empty());
}

TEST_CASE("ebs: too small") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
    auto volume = by_name;
    volume.min_size = std::uint64_t{1} << 30;
    CHECK(machine.probe(volume).finding.status == Status::pass);
    ++*volume.min_size;
    CHECK(machine.probe(volume).finding.code == "ebs-wrong");
}

TEST_CASE("ebs: a disk that is not wholly known is neither small nor the wrong one") {
    for (const char* attribute : {"size", "device/serial"}) {
        EbsMachine machine;
        machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
        machine.sysfs.spoil("/sys/block/nvme1n1/" + std::string(attribute));
        auto volume = by_both;
        volume.min_size = 4096;
        CHECK(machine.probe(volume).finding.status == Status::unknown);
    }
}

TEST_CASE("ebs: appears late") {
    EbsMachine machine;
    machine.clock.at = 12s;
    machine.clock.event = [&] { machine.nvme("nvme1n1", 1, "vol0aa", "sdf"); };
    const auto report = machine.probe(by_name);
    check_pass(report, "/dev/nvme1n1");
    CHECK(report.wait.seconds >= 12);
    CHECK(report.wait.seconds < 12.5);
    CHECK(report.wait.polls >= 120);
    REQUIRE_FALSE(machine.notices.empty());
    CHECK(machine.notices[0] == "waiting for EBS volume data at /dev/sdf");
}

TEST_CASE("ebs: never comes") {
    EbsMachine machine;
    machine.nvme("nvme0n1", 0, "vol0ff", "sda1");
    const auto report = machine.probe(by_both);
    CHECK(report.finding.status == Status::fail);
    CHECK(report.finding.code == "ebs-missing");
    CHECK_THAT(report.finding.message, Catch::Contains("vol-0aa at sdf"));
    CHECK(report.wait.outcome == "gave up");
    CHECK(report.wait.seconds == Approx(100).margin(0.2));
    // The whole job's deadline comes first.
    CHECK(machine.probe(std::vector{by_both}, 20s)[0].wait.seconds == Approx(20).margin(0.2));
}

TEST_CASE(
    "ebs: where disks have no serial an id alone finds nothing, on the next machine neither") {
    EbsMachine machine;
    machine.xen("xvda", 0);
    machine.xen("xvdf", 80);
    const auto report = machine.probe(by_id);
    CHECK(report.finding.code == "ebs-wrong"); // a new machine would say the same
    CHECK_THAT(report.finding.message, Catch::Contains("device"));
    auto missing = by_both;
    missing.device = "/dev/sdg";
    CHECK(machine.probe(missing).finding.code == "ebs-missing");
    machine.nvme("nvme0n1", 0, "vol0ff", "sda1");
    CHECK(machine.probe(by_id).finding.code == "ebs-missing");
}

TEST_CASE("ebs: each has its own deadline, side by side") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
    const auto reports = machine.probe({{.name = "slow", .device = "sdg", .deadline = 8s},
                                        {.name = "data", .device = "sdf"},
                                        {.name = "slower", .device = "sdg", .deadline = 9s}});
    REQUIRE(reports.size() == 3);
    CHECK(reports[0].finding.code == "ebs-missing");
    CHECK(reports[0].wait.seconds == Approx(8).margin(0.2));
    CHECK(reports[1].finding.status == Status::pass);
    CHECK(reports[1].wait.polls == 1);
    CHECK(reports[2].wait.seconds == Approx(9).margin(0.2));
}

TEST_CASE("ebs: there, and sick") {
    struct Row {
        Errc error;
        Status status;
        const char* code;
    };
    for (const auto& row :
         {Row{Errc::stuck, Status::fail, "ebs-stuck"}, Row{Errc::io, Status::fail, "ebs-io-error"},
          Row{Errc::denied, Status::unknown, "cannot-tell"}}) {
        CAPTURE(row.code);
        EbsMachine machine;
        machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
        machine.kernel.reads["/dev/nvme1n1"].set(fail(row.error, "x"));
        const auto report = machine.probe(by_id);
        CHECK(report.finding.status == row.status);
        CHECK(report.finding.code == row.code);
        CHECK(report.wait.outcome == "found");
        CHECK(machine.clock.elapsed() == (row.error == Errc::stuck ? 30s : 0s));
    }
}

TEST_CASE("ebs: stuck ones take the time of one, and witnesses are heard") {
    EbsMachine machine;
    std::vector<ExpectedVolume> expected;
    for (std::uint32_t i = 1; i <= 4; ++i) {
        const auto name = fmt::format("nvme{}n1", i);
        const auto id = fmt::format("vol0{}", i);
        machine.nvme(name, i, id, "");
        machine.kernel.reads["/dev/" + name].set(fail(Errc::stuck, "x"));
        machine.sysfs.put("/sys/block/" + name + "/inflight", fmt::format("{} 0\n", i));
        expected.push_back({.name = id, .volume_id = id});
    }
    machine.nvme("nvme5n1", 5, "vol05", "");
    expected.push_back({.name = "well", .volume_id = "vol05"});
    const auto reports = machine.probe(expected);
    for (std::size_t i = 0; i < 4; ++i) {
        const auto& finding = reports[i].finding;
        CHECK(finding.code == "ebs-stuck");
        CHECK(finding.evidence["when_slow"]["in_flight"]["reads"] == i + 1);
        CHECK(finding.evidence["when_given_up"]["in_flight"]["reads"] == i + 1);
        CHECK_THAT(finding.message, Catch::Contains("neither succeeded nor failed in 30.0 s"));
    }
    CHECK(reports[4].finding.status == Status::pass);
    CHECK(machine.clock.elapsed() == 30s);
    CHECK(machine.kernel.was_read.size() == 5); // one reader each
}

TEST_CASE("ebs: one that had no time to answer is not called stuck") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
    machine.kernel.reads["/dev/nvme1n1"].set(fail(Errc::stuck, "x"));
    const auto report = machine.probe(std::vector{by_id}, 12s)[0];
    CHECK(report.finding.status == Status::unknown);
    CHECK(machine.clock.elapsed() == 12s);
}

TEST_CASE("ebs: a late one is read while others are waited for") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "");
    machine.kernel.reads["/dev/nvme1n1"].set(4s);
    machine.clock.at = 20s;
    machine.clock.event = [&] { machine.nvme("nvme2n1", 2, "vol0bb", ""); };
    const auto reports = machine.probe({by_id, {.name = "late", .volume_id = "vol0bb"}});
    CHECK(reports[0].finding.evidence["slowest_read_seconds"] == 4);
    CHECK(reports[1].finding.status == Status::pass);
    CHECK(reports[1].wait.seconds == Approx(20).margin(0.11));
    CHECK(machine.clock.elapsed() < 20200ms);
}

TEST_CASE("ebs: a disk that does not say its name may be the missing one") {
    EbsMachine machine;
    machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
    SECTION("Identify is denied") {
        machine.kernel.identities["/dev/nvme1n1"].set(fail(Errc::denied, "not permitted"));
    }
    SECTION("its model can't be read") {
        machine.sysfs.spoil("/sys/block/nvme1n1/device/model");
    }
    auto volume = by_name;
    volume.deadline = 3s;
    const auto report = machine.probe(volume);
    CHECK(report.finding.status == Status::unknown);
    CHECK_THAT(report.finding.message, Catch::Contains("nvme1n1"));
}

TEST_CASE("ebs: an Identify that hangs is waited for once a look, not once a volume") {
    EbsMachine machine;
    machine.nvme("nvme0n1", 0, "vol0ff", "sda1");
    machine.kernel.identities["/dev/nvme0n1"].set(fail(Errc::stuck, "no answer"));
    machine.nvme("nvme1n1", 1, "vol0aa", "sdf");
    machine.nvme("nvme2n1", 2, "vol0bb", "sdg");
    const auto reports =
        machine.probe({{.name = "one", .device = "sdf"}, {.name = "two", .device = "sdg"}});
    CHECK(reports[0].finding.status == Status::pass);
    CHECK(reports[1].finding.status == Status::pass);
    CHECK(machine.clock.elapsed() < 5100ms);
    // And never beyond the deadline.
    const auto start = machine.clock.elapsed();
    CHECK(machine.probe(std::vector<ExpectedVolume>{{.name = "no", .device = "sdh"}}, 0s).size() ==
          1);
    CHECK(machine.clock.elapsed() == start);
}

TEST_CASE("ebs: disks that can't be listed are unknown, not missing") {
    EbsMachine machine;
    machine.sysfs.put("/proc/self/mountinfo", "garbage\n");
    auto volume = by_name;
    volume.deadline = 2s;
    const auto report = machine.probe(volume);
    CHECK(report.finding.status == Status::unknown);
    CHECK_THAT(report.finding.message, Catch::Contains("mountinfo"));
}

TEST_CASE("ebs: the mapping's volumes") {
    const auto volumes = volumes_of({{"ami", "sda1"},
                                     {"ebs1", "sdf"},
                                     {"ebs2", "xvdg"},
                                     {"ephemeral0", "sdb"},
                                     {"root", "sda1"}});
    REQUIRE(volumes.size() == 2);
    CHECK(volumes[0].name == "ebs1");
    CHECK(volumes[0].device == "/dev/sdf");
    CHECK_FALSE(volumes[0].volume_id);
    CHECK(volumes[1].device == "/dev/xvdg");
    CHECK(volumes_of({}).empty());
}
