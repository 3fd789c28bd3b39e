#include "agent/sys/files.h"
#include "agent/sys/mounts.h"
#include "tests/catch.h"

using namespace muster;

namespace {

Mount parsed(const std::string& line) {
    const auto mounts = parse_mountinfo(line);
    INFO(line);
    REQUIRE(mounts);
    REQUIRE(mounts->size() == 1);
    return mounts->front();
}

} // namespace

TEST_CASE("mounts: a line of proc(5)") {
    const auto mount =
        parsed("36 35 98:0 /sub /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n");
    CHECK(mount.major == 98);
    CHECK(mount.minor == 0);
    CHECK(mount.root == "/sub");
    CHECK(mount.target == "/mnt2");
    CHECK(mount.filesystem == "ext3");
    CHECK(mount.source == "/dev/root");
    CHECK_FALSE(mount.read_only);
}

TEST_CASE("mounts: no optional fields, or several") {
    CHECK(parsed("1 2 259:3 / / rw - xfs /dev/nvme0n1p1 rw").source == "/dev/nvme0n1p1");
    CHECK(
        parsed("1 2 259:3 / / rw shared:1 master:2 propagate_from:3 - xfs /dev/x rw").filesystem ==
        "xfs");
}

TEST_CASE("mounts: escapes are the kernel's four, in octal") {
    const auto mount = parsed(R"(1 2 0:5 /a\134b /mnt/a\040b\011c\012d rw - tmpfs s\040p rw)");
    CHECK(mount.root == "/a\\b");
    CHECK(mount.target == "/mnt/a b\tc\nd");
    CHECK(mount.source == "s p");
    CHECK(parsed(R"(1 2 0:5 / /x\04 rw - tmpfs t rw)").target == R"(/x\04)");     // cut short
    CHECK(parsed(R"(1 2 0:5 / /x\0489 rw - tmpfs t rw)").target == R"(/x\0489)"); // no octal
}

TEST_CASE("mounts: read-only by the mount or by the superblock") {
    CHECK(parsed("1 2 8:1 / / ro,relatime - ext4 /dev/sda1 rw").read_only);
    CHECK(parsed("1 2 8:1 / / rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro").read_only);
    CHECK_FALSE(parsed("1 2 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro").read_only);
}

TEST_CASE("mounts: a line that can't be understood is an error, not a mount overlooked") {
    const std::string good = "1 2 8:1 / / rw - ext4 /dev/sda1 rw\n";
    for (const std::string bad : {
             "nonsense",
             "1 2 8:1 / / rw ext4 /dev/sda1 rw",     // no dash
             "1 2 8:1 / / rw - ext4 /dev/sda1",      // no superblock options
             "1 2 8:1 / / - ext4 /dev/sda1 rw",      // no mount options
             "1 2 8 / / rw - ext4 /dev/sda1 rw",     // no minor
             "1 2 8:1:2 / / rw - ext4 /dev/sda1 rw", // three numbers
             "1 2 8:x / / rw - ext4 /dev/sda1 rw",   // no number
             "1 2 8:-1 / / rw - ext4 /dev/sda1 rw",  // below zero
             "1 2 8:99999999999 / / rw - ext4 s rw", // beyond 32 bits
         }) {
        INFO(bad);
        const auto mounts = parse_mountinfo(good + bad + "\n" + good);
        REQUIRE_FALSE(mounts);
        CHECK(mounts.error().code == Errc::malformed);
        CHECK(mounts.error().message.find(bad) != std::string::npos);
    }
}

TEST_CASE("mounts: in order, and this machine's own") {
    const auto mounts = parse_mountinfo("1 2 8:1 / / rw - ext4 a rw\n2 2 8:2 / / rw - ext4 b rw\n");
    REQUIRE(mounts);
    REQUIRE(mounts->size() == 2);
    CHECK(mounts->back().source == "b");
    CHECK(parse_mountinfo("")->empty());

    const auto own = Files().read("/proc/self/mountinfo");
    REQUIRE(own);
    const auto ours = parse_mountinfo(*own);
    REQUIRE(ours);
    CHECK(std::ranges::any_of(*ours, [](const Mount& mount) { return mount.target == "/"; }));
}
