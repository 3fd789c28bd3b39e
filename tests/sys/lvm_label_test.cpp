#include "agent/sys/lvm_label.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::string_literals;

namespace {

/// The first MiB of a physical volume: what pvcreate of lvm2 2.03.16 writes on a disk of 100 MiB,
/// but for checksums, which are not looked at.
struct Volume {
    std::string disk = std::string(1 << 20, '\0');

    Volume() {
        put(512, "LABELONE");
        put(520, "\1"); // its sector
        put(532, "\x20");
        put(536, "LVM2 001");
        put(544, "wHGqJxyLyCdeWpoS2Q0WRd0bN0dN9EZ8");
        put(576, "\0\0\x40\x06"s); // the disk's size
        put(586, "\x10");          // data from 1 MiB on, to its end
        put(617, "\x10");          // metadata at 4096 ...
        put(625, "\xf0\x0f");      // ... of 1044480 bytes
        put(4096, "\x16\xd6\x8e\xdb LVM2 x[5A%r0N*>\1");
        put(4121, "\x10");
        put(4129, "\xf0\x0f");
    }
    void put(std::size_t offset, const std::string& bytes) {
        disk.replace(offset, bytes.size(), bytes);
    }
    /// As vgcreate does: the text, then where it is.
    void group(const std::string& text, std::uint64_t at = 512) {
        put(4096 + at, text);
        for (std::size_t i = 0; i < 8; ++i)
            disk[4136 + i] = static_cast<char>(at >> (8 * i) & 0xff);
        put(4144, "\x40\3");
    }
    [[nodiscard]] LvmLabel read() const {
        const auto label = read_lvm_label(disk);
        REQUIRE(label);
        REQUIRE(*label);
        return **label;
    }
    [[nodiscard]] std::string problem() const {
        const auto label = read_lvm_label(disk);
        REQUIRE_FALSE(label);
        CHECK(label.error().code == Errc::malformed);
        return label.error().message;
    }
};

} // namespace

TEST_CASE("lvm label: none") {
    CHECK_FALSE(read_lvm_label("").value());
    CHECK_FALSE(read_lvm_label(std::string(1 << 20, '\0')).value());
    Volume volume;
    volume.put(536, "LVM1 001");
    CHECK_FALSE(read_lvm_label(volume.disk).value());
    CHECK_FALSE(read_lvm_label(std::string_view(Volume().disk).substr(0, 900)).value());
}

TEST_CASE("lvm label: of no group") {
    const auto label = Volume().read();
    CHECK(label.empty_area);
    CHECK(label.group.empty());
}

TEST_CASE("lvm label: of a group") {
    Volume volume;
    volume.group("my-vg_1.x+y {\nid = \"x\"\n");
    CHECK(volume.read().group == "my-vg_1.x+y");
    CHECK_FALSE(volume.read().empty_area);
    SECTION("in any of the first four sectors") {
        const auto sector = volume.disk.substr(512, 512);
        volume.put(512, std::string(512, '\0'));
        volume.put(1536, sector);
        CHECK(volume.read().group == "my-vg_1.x+y");
    }
    SECTION("the text goes round the end of the ring") {
        volume.group("abc", 1044480 - 3);
        volume.put(4096 + 512, "def {\n");
        CHECK(volume.read().group == "abcdef");
    }
}

TEST_CASE("lvm label: an ignored area is not an empty one") {
    Volume volume;
    volume.put(4136 + 20, "\1"); // raw_locn.flags: RAW_LOCN_IGNORED
    CHECK_FALSE(volume.read().empty_area);
    CHECK(volume.read().group.empty());
}

TEST_CASE("lvm label: without a metadata area") {
    Volume volume;
    volume.put(616, std::string(16, '\0'));
    CHECK_FALSE(volume.read().empty_area);
    CHECK(volume.read().group.empty());
}

TEST_CASE("lvm label: what can't be followed is no answer") {
    Volume volume;
    volume.group("vg0 {\n");
    SECTION("the label points outside of itself") {
        volume.put(532, "\xff\xff");
        CHECK(volume.problem() == "LVM's label points outside of itself");
    }
    SECTION("lists of areas without an end") {
        volume.put(584, std::string(440, 'x'));
        CHECK(volume.problem() == "LVM's label has no end");
    }
    SECTION("the header is not where it should be") {
        volume.put(4100, "x");
        CHECK_THAT(volume.problem(), Catch::Contains("area at 4096 has no header"));
    }
    SECTION("the area is beyond what is there") {
        volume.put(622, "\1");
        CHECK_THAT(volume.problem(), Catch::Contains("has no header"));
    }
    SECTION("the text is not in the area") {
        volume.put(4142, "\1");
        CHECK(volume.problem() == "LVM's metadata lies outside of its area");
    }
    SECTION("the text is no text") {
        volume.group("\x7f");
        CHECK(volume.problem() == "LVM's metadata does not begin with a group's name");
    }
    SECTION("a name without an end") {
        volume.group(std::string(200, 'a'));
        CHECK(volume.problem() == "LVM's metadata does not begin with a group's name");
    }
    SECTION("nothing but spaces") {
        volume.group("   ");
        CHECK(volume.problem() == "LVM's metadata does not begin with a group's name");
    }
}
