#include "probes/ebs_stats.h"
#include "probes/io_evidence.h"
#include "probes/kernel_evidence.h"
#include "probes/kernel_log.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

TEST_CASE("kernel log: a record") {
    const auto record =
        parse_kernel_record("3,339,5140900,-;Buffer I/O error on dev\n DEVICE=b1\n");
    REQUIRE(record);
    CHECK(record->level == 3);
    CHECK(record->seconds == Approx(5.1409));
    CHECK(record->text == "Buffer I/O error on dev");
    CHECK(parse_kernel_record("6,1,0,-,caller=T1;text")->text == "text"); // CONFIG_PRINTK_CALLER
    CHECK(parse_kernel_record("6,1,0,c;")->text.empty());
    for (const char* bad : {"", ";", "6", "6,1", "6,1,0", "6,1,0,-", "x,1,0,-;a", "6,1,-1,-;a",
                            "6,1,99999999999999999999999,-;a", "14,1,0,-;from user space"})
        CHECK_FALSE(parse_kernel_record(bad));
}

TEST_CASE("kernel log: what goes with sick volumes, each by a line that a kernel wrote") {
    struct Row {
        const char* line;
        const char* what;
    };
    for (const auto& [line, what] : {
             Row{"EXT4-fs (nvme0n1p1): Remounting filesystem read-only", "remounted read-only"},
             Row{"EXT4-fs error (device xvda1): ext4_find_entry:1455: inode #2: comm systemd: "
                 "reading directory lblock 0",
                 "error of ext4"},
             Row{"XFS (nvme0n1p1): Log I/O Error Detected. Shutting down filesystem", "shut down"},
             Row{"XFS (dm-0): Filesystem has been shut down due to log error (0x2).", "shut down"},
             Row{"XFS (dm-0): Please unmount the filesystem and rectify the problem(s).", ""},
             Row{"XFS (dm-0): metadata I/O error in \"xfs_buf_ioend+0x1a9/0x2c0 [xfs]\" at daddr "
                 "0x2 len 1 error 5",
                 "XFS's metadata"},
             Row{"Buffer I/O error on dev nvme1n1, logical block 0, async page read", "I/O error"},
             Row{"I/O error, dev nvme1n1, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
                 "I/O error"},
             Row{"blk_update_request: I/O error, dev xvdf, sector 2048", "I/O error"},
             Row{"INFO: task jbd2/nvme0n1p1-8:312 blocked for more than 120 seconds.", "hangs"},
             Row{"nvme nvme1: I/O 12 QID 1 timeout, aborting", "timed out"},
             Row{"nvme nvme0: I/O 0 (I/O Cmd) QID 3 timeout, aborting", "timed out"},
             Row{"nvme nvme2: failed to mark controller live state", "does not start"},
             Row{"nvme nvme2: Removing after probe failure status: -19", "does not start"},
             Row{"XFS (nvme1n1): Ending clean mount", ""},
             Row{"EXT4-fs (nvme0n1p1): mounted filesystem with ordered data mode.", ""},
             Row{"task scheduler started", ""},
         }) {
        CAPTURE(line);
        const auto found = find_trouble({std::string("3,1,2000000,-;") + line + "\n"});
        REQUIRE(found.size() == (*what == '\0' ? 0 : 1));
        if (found.empty()) continue;
        CHECK_THAT(found[0].what, Catch::Contains(what));
        CHECK(found[0].sample == line);
    }
}

TEST_CASE("kernel log: counted, with the first and the last of a kind") {
    const auto found =
        find_trouble({"3,1,1000000,-;Buffer I/O error on dev a", "6,2,2000000,-;well", "nonsense",
                      "3,3,3000000,-;I/O error, dev a, sector 8",
                      "3,4,9000000,-;EXT4-fs (a): Remounting filesystem read-only"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].what == "a filesystem was remounted read-only"); // in the table's order
    CHECK(found[1].count == 2);
    CHECK(found[1].first == Approx(1));
    CHECK(found[1].last == Approx(3));
    CHECK(find_trouble({"3,1,1,-;Buffer I/O error " + std::string(900, 'x')})[0].sample.size() ==
          200);
}

TEST_CASE("pressure: of the last minute") {
    const auto pressure = parse_pressure("some avg10=0.00 avg60=12.34 avg300=1.00 total=5\n"
                                         "full avg10=0.00 avg60=3.00 avg300=0.50 total=4\n");
    REQUIRE(pressure);
    CHECK(pressure->some == Approx(12.34));
    CHECK(pressure->full == Approx(3));
    for (const char* bad :
         {"", "some avg60=1\n", "some \nfull avg60=1\n", "some avg60=\nfull avg60=1",
          "some avg60=101\nfull avg60=1", "some avg60=nan\nfull avg60=1"})
        CHECK_FALSE(parse_pressure(bad));
}

TEST_CASE("kernel evidence: it decides nothing, and what there is nothing of is left out") {
    FakeSysfs sysfs;
    FakeKernel kernel;
    sysfs.mount({259, 1}, "/");
    sysfs.block({259, 1}, "nvme0n1p1", 1 << 30);
    CHECK(kernel_evidence(sysfs.files(), kernel).empty());
    sysfs.put("/sys/fs/ext4/nvme0n1p1/errors_count", "0\n");
    CHECK(kernel_evidence(sysfs.files(), kernel).empty());

    sysfs.put("/sys/fs/ext4/nvme0n1p1/errors_count", "3\n");
    sysfs.put("/proc/pressure/io", "some avg60=1.00\nfull avg60=0.00\n");
    kernel.log = std::vector<std::string>{"3,1,1,-;Buffer I/O error on dev a"};
    const auto findings = kernel_evidence(sysfs.files(), kernel);
    REQUIRE(findings.size() == 3);
    for (const auto& finding : findings)
        CHECK_FALSE(finding.gating);
    CHECK_THAT(findings[0].message, Catch::Contains("an I/O error (1 times)"));
    CHECK_THAT(findings[1].message, Catch::Contains("ext4 on nvme0n1p1 has counted 3 errors"));
    CHECK(findings[2].evidence["some_avg60"] == Approx(1));

    kernel.log = fail(Errc::denied, "can't open /dev/kmsg");
    CHECK(kernel_evidence(sysfs.files(), kernel)[0].message == "can't open /dev/kmsg");
}

namespace {

std::string stats_page(std::uint64_t queue_length, char magic = '\x10') {
    std::string page(4096, '\0');
    page.replace(0, 4, std::string{magic, '\xb5', '\x23', '\x3c'});
    const auto put = [&](std::size_t index, std::uint64_t number) {
        for (std::size_t i = 0; i < 8; ++i)
            page[8 + index * 8 + i] = static_cast<char>(number >> 8 * i);
    };
    for (std::size_t i = 0; i < 10; ++i)
        put(i, i + 1);
    put(10, queue_length);
    return page;
}

} // namespace

TEST_CASE("EBS's own counters") {
    const auto stats = parse_ebs_stats(stats_page(0x123456789a));
    REQUIRE(stats);
    CHECK(stats->read_ops == 1);
    CHECK(stats->write_ops == 2);
    CHECK(stats->volume_exceeded_us == 7 + 8);
    CHECK(stats->instance_exceeded_us == 9 + 10);
    CHECK(stats->queue_length == 0x123456789a);
    CHECK_FALSE(parse_ebs_stats(stats_page(1, '\x7e')));
    CHECK_FALSE(parse_ebs_stats(stats_page(1).substr(0, 95)));
    CHECK(parse_ebs_stats(stats_page(1).substr(0, 96)));
    CHECK_FALSE(parse_ebs_stats(""));
}

TEST_CASE("io evidence: of a disk, of a partition, and of what is not to be had") {
    FakeSysfs sysfs;
    FakeClock clock;
    FakeKernel kernel(&clock);
    const auto of = [&](const std::string& name) {
        return io_evidence(sysfs.files(), kernel, name, Deadline::in(clock, 1s));
    };
    CHECK(of("nvme1n1") == nlohmann::json::object());
    sysfs.disk({.name = "nvme1n1", .number = {259, 1}, .model = "Amazon Elastic Block Store"});
    sysfs.put("/sys/block/nvme1n1/inflight", "       2        13\n");
    kernel.log_pages["/dev/nvme1n1"].set(stats_page(5));
    auto evidence = of("nvme1n1");
    CHECK(evidence["in_flight"]["reads"] == 2);
    CHECK(evidence["in_flight"]["writes"] == 13);
    CHECK(evidence["volume"]["queue_length"] == 5);
    // A witness that hangs itself costs no more than its own deadline.
    kernel.log_pages["/dev/nvme1n1"].set(fail(Errc::stuck, "x"));
    CHECK_FALSE(of("nvme1n1").contains("volume"));
    CHECK(clock.elapsed() == 1s);
    // Instance store has other counters behind the same number.
    sysfs.put("/sys/block/nvme1n1/device/model", "Amazon EC2 NVMe Instance Storage\n");
    kernel.log_pages.clear();
    CHECK_FALSE(of("nvme1n1").contains("volume"));
    sysfs.put("/sys/block/nvme1n1/inflight", "x\n");
    CHECK_FALSE(of("nvme1n1").contains("in_flight"));
}
