#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <thread>

#include "agent/sys/command.h"
#include "agent/sys/fd.h"
#include "agent/sys/kernel.h"
#include "agent/sys/mounter.h"
#include "agent/sys/remains.h"
#include "tests/catch.h"
#include "tests/sys/processes.h"

using namespace muster;
using namespace std::chrono_literals;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Fixture {
    Fixture() {
        std::string name = "/tmp/muster-kernel.XXXXXX";
        folder = ::mkdtemp(name.data());
        image = folder / "disk";
        make_image(64 * kMiB);
    }
    ~Fixture() {
        ::umount2((folder / "mnt").c_str(), MNT_DETACH);
        if (!loop.empty()) {
            (void)sh("losetup -d " + loop);
        }
        fs::remove_all(folder);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    void make_image(std::uint64_t size) const {
        std::ofstream(image).put('\0');
        fs::resize_file(image, size);
    }
    void write(std::uint64_t offset, const std::string& bytes) const {
        std::fstream file(image, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset))
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    /// Standard output of a script that must succeed.
    std::string sh(const std::string& script) const {
        const auto result =
            runner->run({{"/bin/sh", "-c", "PATH=/usr/sbin:/usr/bin:/sbin:/bin; " + script}},
                        Deadline::in(*clock, 60s));
        INFO(script << ": " << (result ? result->err : result.error().message));
        REQUIRE((result && result->exit_status == 0));
        return result->out;
    }
    [[nodiscard]] DiskContent content() const {
        auto result = kernel->content(image, Deadline::in(*clock, 30s));
        INFO((result ? "" : result.error().message));
        REQUIRE(result);
        return *result;
    }
    [[nodiscard]] std::multiset<std::string> types() const {
        std::multiset<std::string> result;
        for (const auto& signature : content().signatures) {
            result.insert(signature.type);
        }
        return result;
    }
    [[nodiscard]] Result<Duration> read_blocks(const std::string& node,
                                               const std::vector<std::uint64_t>& offsets,
                                               std::uint32_t length) const {
        return ended(kernel->start_read(node, offsets, length));
    }
    [[nodiscard]] Result<Duration> ended(Result<std::unique_ptr<PendingIo>> io) const {
        REQUIRE(io);
        CHECK((*io)->ended(Deadline::in(*clock, 10s)));
        return (*io)->result();
    }
    /// The image as a block device; empty where there is none to be had.
    std::string attach() {
        const auto result =
            runner->run({{"/sbin/losetup", "-f", "--show", image}}, Deadline::in(*clock, 10s));
        if (!result || result->exit_status != 0) {
            WARN("no loop device here");
            return "";
        }
        loop = result->out.substr(0, result->out.find('\n'));
        return loop;
    }

    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate = make_isolate(*clock).value();
    std::unique_ptr<CommandRunner> runner = make_command_runner(*clock, *isolate, "/dev/null");
    std::unique_ptr<Kernel> kernel = make_kernel(*clock, *isolate);
    fs::path folder;
    std::string image;
    std::string loop;
};

using Types = std::multiset<std::string>;

std::string lvm_label() {
    std::string sector(512, '\0');
    sector.replace(0, 8, "LABELONE");
    sector[8] = 1;     // the sector it is in
    sector[20] = 0x20; // offset of the physical volume's header
    sector.replace(24, 8, "LVM2 001");
    sector.replace(32, 32, "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345");
    return sector;
}

std::string md_superblock() { // version 1.2
    std::string block(4096, '\0');
    block.replace(0, 8, "\xfc\x4e\x2b\xa9\1\0\0\0"s);
    block.replace(16, 16, "0123456789abcdef");
    block[144] = 8; // super_offset, sectors
    return block;
}

std::string empty_lvm_header() {
    std::string header(512, '\0');
    header.replace(0, 4, "\x12\x34\x56\x78");
    header.replace(4, 16, " LVM2 x[5A%r0N*>");
    header[20] = 1;    // version
    header[25] = 0x10; // start: 4096
    header[34] = 0x0f; // size
    return header;
}

} // namespace

TEST_CASE_METHOD(Fixture, "content: a blank disk") {
    CHECK(content().zeroed);
    CHECK(content().signatures.empty());
    CHECK_FALSE(content().lvm_remains);
    CHECK_FALSE(content().unfinished);
}

TEST_CASE_METHOD(Fixture, "content: one byte at either end is not zero") {
    const auto offset = GENERATE(as<std::uint64_t>{}, 0, kMiB - 1, 63 * kMiB, 64 * kMiB - 1);
    write(offset, "x");
    CHECK_FALSE(content().zeroed);
    CHECK(content().signatures.empty());
}

TEST_CASE_METHOD(Fixture, "content: what lies between is not looked at") {
    write(kMiB, "x");
    write(63 * kMiB - 1, "x");
    CHECK(content().zeroed);
}

TEST_CASE_METHOD(Fixture, "content: a disk smaller than both ends") {
    make_image(kMiB + 4096);
    CHECK(content().zeroed);
    write(kMiB, "x");
    CHECK_FALSE(content().zeroed);
    make_image(4096);
    CHECK(content().zeroed);
}

TEST_CASE_METHOD(Fixture, "content: filesystems and swap") {
    sh("mkfs.ext4 -q -L my-label -U 01234567-89ab-cdef-0123-456789abcdef " + image);
    const auto ext4 = content();
    REQUIRE(ext4.signatures.size() == 1);
    CHECK(ext4.signatures[0] == Signature{"ext4", "filesystem", "my-label",
                                          "01234567-89ab-cdef-0123-456789abcdef", 0x438});
    CHECK_FALSE(ext4.zeroed);
    make_image(64 * kMiB);
    sh("mkswap -L s " + image);
    const auto swap = content();
    REQUIRE(swap.signatures.size() == 1);
    CHECK(swap.signatures[0].type == "swap");
    CHECK(swap.signatures[0].usage == "other");
    CHECK(swap.signatures[0].offset == 0xff6);
}

TEST_CASE_METHOD(Fixture, "content: XFS, whole and cut short") {
    make_image(320 * kMiB);
    sh("mkfs.xfs -q -L scratch " + image);
    const auto whole = content();
    REQUIRE(whole.signatures.size() == 1);
    CHECK(whole.signatures[0].type == "xfs");
    CHECK(whole.signatures[0].label == "scratch");
    CHECK(whole.signatures[0].offset == 0);
    CHECK_FALSE(whole.unfinished);
    write(126, "\1");
    const auto cut = content();
    REQUIRE(cut.signatures.size() == 1);
    CHECK(cut.unfinished);
    write(512, lvm_label()); // not XFS alone any more
    CHECK(types() == Types{"LVM2_member", "xfs"});
    CHECK_FALSE(content().unfinished);
}

TEST_CASE_METHOD(Fixture, "content: partition tables, with the backup and without the first") {
    sh("echo 'label: gpt\n,' | sfdisk -q " + image);
    CHECK(types() == Types{"PMBR", "gpt", "gpt"});
    for (const auto& signature : content().signatures) {
        CHECK(signature.usage == "partition table");
    }
    write(0, std::string(34 * 512, '\0')); // MBR and the first GPT are wiped; the copy tells still
    CHECK(types() == Types{"gpt"});
    CHECK(content().signatures.at(0).offset == 64 * kMiB - 512);
    make_image(64 * kMiB);
    sh("echo 'label: dos\n,' | sfdisk -q " + image);
    CHECK(types() == Types{"dos"});
}

TEST_CASE_METHOD(Fixture, "content: LUKS, LVM, md") {
    sh("echo secret | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 " +
       image);
    CHECK(types() == Types{"crypto_LUKS"});
    CHECK(content().signatures.at(0).usage == "crypto");
    make_image(64 * kMiB);
    write(512, lvm_label());
    CHECK(types() == Types{"LVM2_member"});
    CHECK(content().signatures.at(0).uuid == "aBcDeF-gHiJ-kLmN-oPqR-sTuV-wXyZ-012345");
    make_image(64 * kMiB);
    write(4096, md_superblock());
    CHECK(types() == Types{"linux_raid_member"});
    CHECK(content().signatures.at(0).usage == "raid");
}

TEST_CASE_METHOD(Fixture, "content: all of several, not only the one that counts") {
    sh("mkfs.ext4 -q " + image);
    write(512, lvm_label());
    CHECK(types() == Types{"LVM2_member", "ext4"});
    sh("mkswap " + image + "; mkfs.ext4 -q -F " + image);
    write(4096, md_superblock());
    CHECK(types().contains("linux_raid_member"));
    CHECK(types().contains("ext4"));
}

TEST_CASE_METHOD(Fixture, "content: a damaged superblock is somebody's all the same") {
    sh("mkfs.ext4 -q -O metadata_csum " + image);
    write(0x400 + 0x3fc, "\xde\xad\xbe\xef"); // its checksum
    CHECK(types() == Types{"ext4"});
}

TEST_CASE_METHOD(Fixture, "content: what a pvcreate that was killed leaves") {
    write(4096, empty_lvm_header());
    CHECK(content().lvm_remains);
    CHECK_FALSE(content().zeroed);
    write(4608, "vg0 {"); // what was a group's, and its removal left
    CHECK(content().lvm_remains);
    SECTION("a label makes it a physical volume") {
        write(512, lvm_label());
        CHECK_FALSE(content().lvm_remains);
    }
    SECTION("a group was on it") {
        write(4136, "\1");
    }
    SECTION("another version") {
        write(4116, "\2");
    }
    SECTION("more text than a wipe leaves") {
        write(8192, "vg0 {");
    }
    SECTION("a label without its type") {
        write(512, "LABELONE");
    }
    SECTION("data of its first MiB") {
        write(kMiB - 1, "x");
    }
    SECTION("data of its last MiB") {
        write(64 * kMiB - 1, "x");
    }
    SECTION("nothing else") {
        return;
    }
    CHECK_FALSE(content().lvm_remains);
}

TEST_CASE_METHOD(Fixture, "content: an LVM label that no group has, whatever it says") {
    write(512, lvm_label());
    CHECK_FALSE(content().lvm_empty); // it has no metadata area, and may be any group's
    CHECK(kernel->volume_group(image, Deadline::in(*clock, 10s)).error().code == Errc::malformed);
    write(512 + 32 + 40 + 16, "\0\x10\0\0\0\0\0\0\0\xf0\x0f\0"s);
    write(4096, empty_lvm_header());
    CHECK(content().lvm_empty);
    CHECK(kernel->volume_group(image, Deadline::in(*clock, 10s)).value() == "");
    SECTION("a group has it") {
        write(4096 + 512, "data {\n");
        write(4137, "\2");
        CHECK(kernel->volume_group(image, Deadline::in(*clock, 10s)).value() == "data");
    }
    SECTION("the area is ignored") {
        write(4156, "\1");
    }
    SECTION("something else is there besides") {
        sh("mkswap -f " + image);
        write(512, lvm_label());
    }
    CHECK_FALSE(content().lvm_empty);
}

TEST_CASE_METHOD(Fixture, "content: an ext that is empty but for lost+found") {
    const auto type = GENERATE("ext3"s, "ext4"s);
    sh("mkfs." + type + " -q " + image);
    CHECK(types() == Types{type});
    CHECK(content().preformatted);
    SECTION("a file is in it") {
        sh("debugfs -w -R 'write /etc/hostname kept' " + image);
    }
    SECTION("a folder is in it") {
        sh("debugfs -w -R 'mkdir kept' " + image);
    }
    SECTION("it was not unmounted") {
        sh("debugfs -w -R 'feature needs_recovery' " + image);
    }
    SECTION("it has errors") {
        sh("debugfs -w -R 'ssv state 3' " + image);
    }
    SECTION("a file that was deleted while it was open is to be cleaned up") {
        sh("debugfs -w -R 'ssv last_orphan 12' " + image);
    }
    SECTION("something else is there besides") {
        write(4096, md_superblock());
    }
    CHECK_FALSE(content().preformatted);
}

TEST_CASE_METHOD(Fixture, "content: an ext2 is no vendor's, and neither is xfs") {
    sh("mkfs.ext2 -q " + image);
    CHECK(types() == Types{"ext2"});
    CHECK_FALSE(content().preformatted);
}

TEST_CASE("remains: short disks are no reason to read beyond them") {
    CHECK_FALSE(is_cut_short_pvcreate({std::string(4200, '\0'), true}));
    CHECK_FALSE(is_cut_short_mkfs_xfs({"XFSB", true}));
    CHECK_FALSE(is_empty_ext({std::string(2047, '\0'), true}));
}

TEST_CASE_METHOD(Fixture, "content and reads: what is no disk is an error, never blank") {
    const auto soon = Deadline::in(*clock, 10s);
    const auto code = [&](const std::string& node) {
        const auto content = kernel->content(node, soon);
        const auto read = read_blocks(node, {0}, 512);
        REQUIRE_FALSE(content);
        REQUIRE_FALSE(read);
        CHECK(content.error().code == read.error().code);
        return content.error().code;
    };
    CHECK(code("/dev/no-such-disk") == Errc::absent);
    CHECK(code("/dev/null") == Errc::malformed);
    CHECK(code("/tmp") == Errc::malformed);
    make_image(0);
    CHECK(code(image) == Errc::malformed);
    CHECK(kernel->content("/dev/no-such-disk", soon).error().message ==
          "looking for signatures on /dev/no-such-disk: can't open /dev/no-such-disk: No such file "
          "or directory");
}

TEST_CASE_METHOD(Fixture, "reads: time, rounding, bounds") {
    CHECK(read_blocks(image, {0, kMiB, 63 * kMiB}, 4096).value() > 0s);
    CHECK(read_blocks(image, {64 * kMiB}, 4096).error().code == Errc::malformed);
    CHECK(read_blocks(image, {0}, 0).error().code == Errc::malformed);
    CHECK(read_blocks(image, {0}, 17 << 20).error().code == Errc::malformed);
}

TEST_CASE_METHOD(Fixture, "a file written and read back: no trace of it stays") {
    const auto probe = folder / "var";
    CHECK(ended(kernel->start_write(probe.string(), std::nullopt)).value() > 0s);
    CHECK(fs::is_directory(probe));
    CHECK(fs::is_empty(probe));
    // What somebody has put in its place is not written to.
    std::ofstream(folder / "theirs") << "theirs";
    fs::create_symlink(folder / "theirs", probe / ".muster-probe");
    CHECK(ended(kernel->start_write(probe.string(), std::nullopt)));
    CHECK(fs::file_size(folder / "theirs") == 6);
    CHECK(fs::is_empty(probe));
    fs::create_directory_symlink(probe, folder / "link");
    const auto code = [&](const std::string& path) {
        return ended(kernel->start_write(path, std::nullopt)).error().code;
    };
    CHECK(code(folder / "link") == Errc::absent); // ENOTDIR: a link is followed nowhere
    CHECK(code(folder / "none" / "none") == Errc::absent);
    CHECK(code(image) == Errc::absent);
}

TEST_CASE_METHOD(Fixture, "a file written and read back: only on the device that was meant") {
    struct stat facts{};
    REQUIRE(::stat(folder.c_str(), &facts) == 0);
    const DeviceNumber here{major(facts.st_dev), minor(facts.st_dev)};
    const DeviceNumber other{here.major, here.minor + 1};
    const auto write = [&](DeviceNumber on) {
        return ended(kernel->start_write(folder.string(), on));
    };
    CHECK(write(here));
    std::ofstream(folder / ".muster-probe") << "theirs";
    CHECK(write(other).error().code == Errc::conflict);
    CHECK(fs::file_size(folder / ".muster-probe") == 6); // nothing was touched
}

TEST_CASE_METHOD(Fixture, "a file written and read back: full, out of inodes, read-only") {
    const auto mnt = folder / "mnt";
    fs::create_directory(mnt);
    const auto mount = [&](const char* options) {
        ::umount2(mnt.c_str(), MNT_DETACH);
        return ::mount("none", mnt.c_str(), "tmpfs", 0, options) == 0;
    };
    if (!mount("size=4k")) {
        WARN("no mounting here");
        return;
    }
    const auto code = [&] {
        const auto took = ended(kernel->start_write(mnt.string(), std::nullopt));
        return took ? Errc::internal : took.error().code;
    };
    std::ofstream(mnt / "all") << std::string(4096, 'x');
    CHECK(code() == Errc::full);
    CHECK(mount("nr_inodes=1"));
    CHECK(code() == Errc::full);
    CHECK(mount("ro"));
    CHECK(code() == Errc::read_only);
}

TEST_CASE_METHOD(Fixture, "reads: one that has not ended is waited for as often as one likes") {
    const auto started = kernel->start_read(image, {0}, 4096);
    REQUIRE(started);
    const auto& io = *started;
    while (!io->ended(Deadline::in(*clock, 1ms))) {
    }
    CHECK(io->ended(Deadline{}));
    CHECK(io->result().value() > 0s);
    CHECK(kernel->log_page("/dev/null", 0xd0, 4096, Deadline::in(*clock, 10s)).error().code ==
          Errc::malformed);
    CHECK(kernel->log_page("/dev/null", 0xd0, 4095, Deadline::in(*clock, 10s)).error().code ==
          Errc::malformed);
}

TEST_CASE_METHOD(Fixture, "reads: a device that hangs gets one reader, however often it is asked") {
    const std::vector<std::uint64_t> a_great_many(100'000, 0);
    const auto helpers = [] {
        return std::ranges::count(testing::family(), "muster-helper", &testing::Process::name);
    };
    {
        const auto given_up = kernel->start_read(image, a_great_many, kMiB);
        REQUIRE(given_up);
        REQUIRE_FALSE((*given_up)->ended(Deadline::in(*clock, 100ms)));
    }
    for (int i = 0; i < 3; ++i) {
        const auto again = kernel->start_read(image, {0}, 4096);
        REQUIRE(again);
        CHECK_FALSE((*again)->ended(Deadline::in(*clock, 10ms)));
    }
    CHECK(helpers() == 1);
    // Another kind, another place.
    CHECK(ended(kernel->start_write((folder / "var").string(), std::nullopt)));
    kernel.reset();
    CHECK(testing::eventually([&] { return helpers() == 0; }));
}

TEST_CASE_METHOD(Fixture, "questions that were answered hold no descriptors") {
    const auto descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = descriptors();
    std::string node = image;
    for (int i = 0; i < 30; ++i) {
        node.insert(0, "/."); // as many disks
        CHECK(kernel->content(node, Deadline::in(*clock, 10s)));
    }
    CHECK(descriptors() <= before + 2); // those of the last one
}

TEST_CASE_METHOD(Fixture, "a question that hangs is not asked again until it is answered") {
    const int nursery = testing::family().at(0).pid;
    const auto ask = [&](Duration limit) {
        return kernel->content(image, Deadline::in(*clock, limit));
    };
    REQUIRE(::kill(nursery, SIGSTOP) == 0); // so nothing of it is even begun
    CHECK(ask(100ms).error().message.find("neither success nor failure") != std::string::npos);
    for (int i = 0; i < 3; ++i) {
        const auto again = ask(10ms);
        REQUIRE_FALSE(again);
        CHECK(again.error().code == Errc::stuck);
        CHECK(again.error().message.find("an earlier try still hangs") != std::string::npos);
    }
    REQUIRE(::kill(nursery, SIGCONT) == 0);
    CHECK(ask(10s)); // once the earlier one has ended
}
