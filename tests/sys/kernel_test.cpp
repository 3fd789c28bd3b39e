#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/mount.h>
#include <sys/stat.h>
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
    CHECK(ended(kernel->start_write(probe.string())).value() > 0s);
    CHECK(fs::is_directory(probe));
    CHECK(fs::is_empty(probe));
    // What somebody has put in its place is not written to.
    std::ofstream(folder / "theirs") << "theirs";
    fs::create_symlink(folder / "theirs", probe / ".muster-probe");
    CHECK(ended(kernel->start_write(probe.string())));
    CHECK(fs::file_size(folder / "theirs") == 6);
    CHECK(fs::is_empty(probe));
    fs::create_directory_symlink(probe, folder / "link");
    const auto code = [&](const std::string& path) {
        return ended(kernel->start_write(path)).error().code;
    };
    CHECK(code(folder / "link") == Errc::absent); // ENOTDIR: a link is followed nowhere
    CHECK(code(folder / "none" / "none") == Errc::absent);
    CHECK(code(image) == Errc::absent);
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
        const auto took = ended(kernel->start_write(mnt.string()));
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
    CHECK(ended(kernel->start_write((folder / "var").string()))); // another kind, another place
    kernel.reset();
    CHECK(testing::eventually([&] { return helpers() == 0; }));
}

TEST_CASE_METHOD(Fixture, "a block device: number, content, reads, and its I/O errors") {
    CHECK(kernel->block_device(image).error().code == Errc::malformed);
    CHECK(kernel->block_device("/dev/null").error().code == Errc::malformed);
    CHECK(kernel->block_device("/dev/no-such-disk").error().code == Errc::absent);
    const auto node = attach();
    if (node.empty()) {
        return;
    }
    const auto soon = Deadline::in(*clock, 10s);
    CHECK(kernel->block_device(node).value().major == 7);
    CHECK(kernel->content(node, soon).value().zeroed);
    sh("mkfs.ext4 -q " + node);
    CHECK(kernel->content(node, soon).value().signatures.size() == 1);
    CHECK(read_blocks(node, {1, 63 * kMiB + 7}, 100)); // rounded to sectors
    CHECK(kernel->identify(node, soon).error().code == Errc::malformed);
    CHECK_FALSE(kernel->is_claimed(node, soon).value());
    {
        const Fd holder(::open(node.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
        REQUIRE(holder);
        CHECK(kernel->is_claimed(node, soon).value());
    }
    // One that only looks in, as udev's blkid does, is not one that has it.
    Fd passing(::open(node.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    std::jthread lets_go([&] {
        std::this_thread::sleep_for(200ms);
        passing.close();
    });
    CHECK_FALSE(kernel->is_claimed(node, soon).value());
    lets_go.join();
    CHECK(kernel->is_claimed("/dev/no-such-disk", soon).error().code == Errc::absent);
    // The end of the disk goes away under the kernel: an I/O error, and no answer about content.
    fs::resize_file(image, 32 * kMiB);
    CHECK(read_blocks(node, {0}, 4096));
    CHECK(read_blocks(node, {0, 48 * kMiB}, 4096).error().code == Errc::io);
    const auto half = kernel->content(node, soon);
    REQUIRE_FALSE(half);
    CHECK(half.error().code == Errc::io);
}

TEST_CASE_METHOD(Fixture, "identify: only of NVMe") {
    const auto soon = Deadline::in(*clock, 10s);
    CHECK(kernel->identify("/dev/null", soon).error().code == Errc::malformed);
    CHECK(kernel->identify("/dev/no-such-disk", soon).error().code == Errc::absent);
}

TEST_CASE_METHOD(Fixture, "space of a mounted filesystem") {
    const auto space = kernel->space("/", Deadline::in(*clock, 10s));
    REQUIRE(space);
    CHECK(space->bytes == fs::space("/").capacity);
    CHECK(space->bytes_free <= space->bytes);
    CHECK(space->inodes >= space->inodes_free);
    CHECK(kernel->space("/no/such/path", Deadline::in(*clock, 10s)).error().code == Errc::absent);
}

TEST_CASE_METHOD(Fixture, "mount: options, owner and mode; what is refused changes nothing") {
    const auto node = attach();
    if (node.empty()) {
        return;
    }
    sh("mkfs.ext4 -q " + node);
    const auto soon = Deadline::in(*clock, 10s);
    const auto target = (folder / "mnt/deep/scratch").string();
    MountRequest request{node, target, "ext4", {"noatime", "nodev", "stripe=0"}, 01777, "games:12"};

    SECTION("bad requests") {
        request.owner = "nobody-of-that-name:root";
        CHECK(kernel->mount(request, soon).error().code == Errc::absent);
        request.owner = "root:root";
        request.source = image;
        CHECK(kernel->mount(request, soon).error().code == Errc::malformed);
        request.source = node;
        request.target = "/";
        CHECK(kernel->mount(request, soon).error().code == Errc::malformed);
        request.target = "relative";
        CHECK(kernel->mount(request, soon).error().code == Errc::malformed);
        CHECK_FALSE(fs::exists(folder / "mnt"));
        fs::create_directory(folder / "elsewhere");
        fs::create_symlink(folder / "elsewhere", folder / "link");
        request.target = folder / "link";
        CHECK(kernel->mount(request, soon).error().code == Errc::conflict);
        request.target = target;
        request.options = {"no-such-option"};
        CHECK(kernel->mount(request, soon).error().code == Errc::malformed);
        request.options = {};
        request.filesystem = "xfs"; // not what is on it
        CHECK_FALSE(kernel->mount(request, soon));
        CHECK(sh("grep -c " + folder.string() + " /proc/mounts || true") == "0\n");
    }
    SECTION("a good one") {
        const auto done = kernel->mount(request, soon);
        if (!done && done.error().code == Errc::denied) {
            WARN("no right to mount here");
            return;
        }
        INFO((done ? "" : done.error().message));
        REQUIRE(done);
        struct stat status{};
        REQUIRE(::stat(target.c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 01777);
        CHECK(status.st_uid == 5);
        CHECK(status.st_gid == 12);
        const auto line = sh("grep " + target + " /proc/mounts");
        CHECK(line.starts_with(node + " " + target + " ext4 rw,nodev,noatime"));
        ::umount2(target.c_str(), 0);
        // Again, read-only: nothing is to be set, so nothing fails.
        request.options = {"ro"};
        CHECK(kernel->mount(request, soon));
        ::umount2(target.c_str(), 0);
        request.mode = 0700;
        CHECK(kernel->mount(request, soon).error().code == Errc::read_only);
        ::umount2(target.c_str(), 0);
    }
}

TEST_CASE("mount options: flags, data, and words that are not the kernel's") {
    const auto parsed =
        parse_options({"noatime", "nodev", "nosuid", "noexec", "nodiratime", "logbsize=256k",
                       "nofail", "x-systemd.automount", "discard"});
    CHECK(parsed.flags == (MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NODIRATIME));
    CHECK(parsed.data == "logbsize=256k,discard");
    CHECK(parse_options({"ro", "defaults", "rw"}) == MountOptions{});
    CHECK(parse_options({"noatime", "relatime"}).flags == MS_RELATIME);
    CHECK(parse_options({}) == MountOptions{});
}

TEST_CASE_METHOD(Fixture, "folder: what stands there, itself first, links as links") {
    const auto at = folder / "checks.d";
    const auto look = [&](const fs::path& path) {
        return kernel->folder(path.string(), Deadline::in(*clock, 10s));
    };
    CHECK(look(at).error().code == Errc::absent);
    fs::create_directories(at / "sub");
    std::ofstream(at / "b") << "x";
    std::ofstream(at / "a\xff") << "x";
    fs::create_symlink("/bin/true", at / "link");
    REQUIRE(::mkfifo((at / "pipe").c_str(), 0600) == 0);
    fs::permissions(at, fs::perms(0750));
    fs::permissions(at / "sub", fs::perms(01777));
    fs::permissions(at / "b", fs::perms(0640));
    fs::permissions(at / "a\xff", fs::perms(04755));
    using Type = FolderEntry::Type;
    const auto me = ::geteuid();
    const auto entries = look(at);
    REQUIRE(entries);
    CHECK(*entries == std::vector<FolderEntry>{{".", Type::folder, 0750, me},
                                               {"a\xff", Type::file, 04755, me},
                                               {"b", Type::file, 0640, me},
                                               {"link", Type::link, 0777, me},
                                               {"pipe", Type::other, 0600, me},
                                               {"sub", Type::folder, 01777, me}});
    CHECK(look(at / "sub")->size() == 1);
    CHECK(look(at / "b").error().code == Errc::malformed);
    CHECK(look(at / "b").error().message.find("no folder") != std::string::npos);
    for (int i = 0; i < 1025; ++i)
        std::ofstream(at / "sub" / std::to_string(i)) << "";
    CHECK(look(at / "sub").error().code == Errc::too_large);
}

TEST_CASE("owner: names and numbers, from the files themselves") {
    constexpr auto kPasswd = "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1001:,,,:/:/bin/sh\n"
                             "broken:x\nodd:x:abc:1:::\n";
    constexpr auto kGroup = "root:x:0:\nusers:x:100:app\n";
    const auto resolve = [&](const char* owner) { return resolve_owner(owner, kPasswd, kGroup); };
    CHECK(resolve("root:root") == Owner{0, 0});
    CHECK(resolve("app:users") == Owner{1000, 100});
    CHECK(resolve("app") == Owner{1000, 1001});
    CHECK(resolve("1000") == Owner{1000, 1001});
    CHECK(resolve("12:34") == Owner{12, 34});
    for (const auto* bad :
         {"", ":", "app:", ":users", "none:users", "app:none", "broken:users", "odd:users", "77",
          "-1:0", "4294967295:0", "99999999999:0", "app:users:x"}) {
        INFO(bad);
        CHECK(resolve(bad).error().code == Errc::absent);
    }
    CHECK(resolve_owner("0:0", "", "") == Owner{0, 0});
}
