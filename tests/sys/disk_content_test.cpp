// What is on a disk, as real tools leave it there.
#include <set>

#include "agent/sys/command.h"
#include "agent/sys/remains.h"
#include "tests/sys/disk_image.h"

using namespace muster;
using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::MiB;

namespace {

struct ContentFixture : testing::DiskImage {
    void write(std::uint64_t offset, const std::string& bytes) const {
        std::fstream file(image, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset))
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    /// A script that must succeed.
    void sh(const std::string& script) const {
        const auto result = runner->run(
            {{"/bin/sh", "-c", "PATH=/usr/sbin:/usr/bin:/sbin:/bin; " + script}}, patiently());
        INFO(script << ": " << (result ? result->err : result.error().message));
        REQUIRE((result && result->exit_status == 0));
    }
    [[nodiscard]] DiskContent content() const {
        auto result = kernel->content(image, patiently());
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

    std::unique_ptr<CommandRunner> runner = make_command_runner(*clock, *isolate, "/dev/null");
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

TEST_CASE_METHOD(ContentFixture, "content: a blank disk") {
    CHECK(content().zeroed);
    CHECK(content().signatures.empty());
    CHECK_FALSE(content().lvm_remains);
}

TEST_CASE_METHOD(ContentFixture, "content: one byte at either end is not zero") {
    const auto offset = GENERATE(as<std::uint64_t>{}, 0, MiB - 1, 63 * MiB, 64 * MiB - 1);
    write(offset, "x");
    CHECK_FALSE(content().zeroed);
    CHECK(content().signatures.empty());
}

TEST_CASE_METHOD(ContentFixture, "content: another byte, or another place, is another content") {
    CHECK(content().ends == 0);
    write(5000, "x");
    const auto before = content();
    CHECK(content() == before);
    write(5000, "y");
    CHECK(content() != before);
    write(5000, std::string(1, '\0'));
    write(MiB - 5000, "x");
    CHECK(content() != before);
    write(MiB - 5000, std::string(1, '\0'));
    write(63 * MiB + 5000, "x"); // as far into its piece as the first
    CHECK(content() != before);
    CHECK(content().signatures == before.signatures);
}

TEST_CASE_METHOD(ContentFixture, "content: what lies between is not looked at") {
    write(MiB, "x");
    write(63 * MiB - 1, "x");
    CHECK(content().zeroed);
}

TEST_CASE_METHOD(ContentFixture, "content: a disk smaller than both ends") {
    make_image(MiB + 4096);
    CHECK(content().zeroed);
    write(MiB, "x");
    CHECK_FALSE(content().zeroed);
    make_image(4096);
    CHECK(content().zeroed);
}

TEST_CASE_METHOD(ContentFixture, "content: filesystems and swap") {
    sh("mkfs.ext4 -q -L my-label -U 01234567-89ab-cdef-0123-456789abcdef " + image);
    const auto ext4 = content();
    REQUIRE(ext4.signatures.size() == 1);
    CHECK(ext4.signatures[0] == Signature{"ext4", "filesystem", "my-label",
                                          "01234567-89ab-cdef-0123-456789abcdef", 0x438});
    CHECK_FALSE(ext4.zeroed);
    make_image(64 * MiB);
    sh("mkswap -L s " + image);
    const auto swap = content();
    REQUIRE(swap.signatures.size() == 1);
    CHECK(swap.signatures[0].type == "swap");
    CHECK(swap.signatures[0].usage == "other");
    CHECK(swap.signatures[0].offset == 0xff6);
}

TEST_CASE_METHOD(ContentFixture, "content: XFS, alone and beside a label") {
    make_image(320 * MiB);
    sh("mkfs.xfs -q -L scratch " + image);
    const auto whole = content();
    REQUIRE(whole.signatures.size() == 1);
    CHECK(whole.signatures[0].type == "xfs");
    CHECK(whole.signatures[0].label == "scratch");
    CHECK(whole.signatures[0].offset == 0);
    write(512, lvm_label());
    CHECK(types() == Types{"LVM2_member", "xfs"});
}

TEST_CASE_METHOD(ContentFixture,
                 "content: partition tables, with the backup and without the first") {
    sh("echo 'label: gpt\n,' | sfdisk -q " + image);
    CHECK(types() == Types{"PMBR", "gpt", "gpt"});
    for (const auto& signature : content().signatures) {
        CHECK(signature.usage == "partition table");
    }
    write(0, std::string(34 * 512, '\0')); // MBR and the first GPT are wiped; the copy tells still
    CHECK(types() == Types{"gpt"});
    CHECK(content().signatures.at(0).offset == 64 * MiB - 512);
    make_image(64 * MiB);
    sh("echo 'label: dos\n,' | sfdisk -q " + image);
    CHECK(types() == Types{"dos"});
}

TEST_CASE_METHOD(ContentFixture, "content: LUKS, LVM, md") {
    sh("echo secret | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 " +
       image);
    CHECK(types() == Types{"crypto_LUKS"});
    CHECK(content().signatures.at(0).usage == "crypto");
    make_image(64 * MiB);
    write(512, lvm_label());
    CHECK(types() == Types{"LVM2_member"});
    CHECK(content().signatures.at(0).uuid == "aBcDeF-gHiJ-kLmN-oPqR-sTuV-wXyZ-012345");
    make_image(64 * MiB);
    write(4096, md_superblock());
    CHECK(types() == Types{"linux_raid_member"});
    CHECK(content().signatures.at(0).usage == "raid");
}

TEST_CASE_METHOD(ContentFixture, "content: all of several, not only the one that counts") {
    sh("mkfs.ext4 -q " + image);
    write(512, lvm_label());
    CHECK(types() == Types{"LVM2_member", "ext4"});
    sh("mkswap " + image + "; mkfs.ext4 -q -F " + image);
    write(4096, md_superblock());
    CHECK(types().contains("linux_raid_member"));
    CHECK(types().contains("ext4"));
}

TEST_CASE_METHOD(ContentFixture, "content: very many of one type, and another one behind them") {
    make_image(96 * MiB);
    // A ZFS member that was in use for a while: each place of the ring in each of the four labels.
    const std::uint64_t labels[] = {0, 256 << 10, 96 * MiB - (512 << 10), 96 * MiB - (256 << 10)};
    for (const auto label : labels) {
        for (std::uint64_t slot = 0; slot < 128; ++slot)
            write(label + (128 << 10) + (slot << 10), "\x0c\xb1\xba\0\0\0\0\0"s);
    }
    sh("printf 'label: gpt\\n,\\n' | sfdisk -q --wipe never " + image);
    const auto found = types();
    CHECK(found.count("zfs_member") == 16);
    CHECK(found.count("gpt") == 2);
}

TEST_CASE_METHOD(ContentFixture, "content: a damaged superblock is somebody's all the same") {
    sh("mkfs.ext4 -q -O metadata_csum " + image);
    write(0x400 + 0x3fc, "\xde\xad\xbe\xef"); // its checksum
    CHECK(types() == Types{"ext4"});
}

TEST_CASE_METHOD(ContentFixture, "content: what a pvcreate that was killed leaves") {
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
        write(MiB - 1, "x");
    }
    SECTION("data of its last MiB") {
        write(64 * MiB - 1, "x");
    }
    SECTION("nothing else") {
        return;
    }
    CHECK_FALSE(content().lvm_remains);
}

TEST_CASE_METHOD(ContentFixture, "content: an LVM label that no group has, whatever it says") {
    write(512, lvm_label());
    CHECK_FALSE(content().lvm_empty); // it has no metadata area, and may be any group's
    CHECK(kernel->volume_group(image, patiently()).error().code == Errc::malformed);
    write(512 + 32 + 40 + 16, "\0\x10\0\0\0\0\0\0\0\xf0\x0f\0"s);
    write(4096, empty_lvm_header());
    CHECK(content().lvm_empty);
    CHECK(kernel->volume_group(image, patiently()).value() == "");
    SECTION("a group has it") {
        write(4096 + 512, "data {\n");
        write(4137, "\2");
        CHECK(kernel->volume_group(image, patiently()).value() == "data");
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

TEST_CASE_METHOD(ContentFixture, "content: an ext that is empty but for lost+found") {
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

TEST_CASE_METHOD(ContentFixture, "content: an ext2 is no vendor's, and neither is xfs") {
    sh("mkfs.ext2 -q " + image);
    CHECK(types() == Types{"ext2"});
    CHECK_FALSE(content().preformatted);
}

TEST_CASE("remains: short disks are no reason to read beyond them") {
    CHECK_FALSE(is_cut_short_pvcreate({std::string(4200, '\0'), true}));
    CHECK_FALSE(is_empty_ext({std::string(2047, '\0'), true}));
}
