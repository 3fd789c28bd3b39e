#include "agent/sys/lvm_label.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

namespace muster {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSector = 512;
constexpr std::size_t kLabelSectors = 4;
constexpr auto kLabelId = "LABELONE"sv;
constexpr auto kLabelType = "LVM2 001"sv;
constexpr auto kAreaMagic = " LVM2 x[5A%r0N*>"sv;
constexpr std::size_t kNames = 128; ///< NAME_LEN of LVM2: the longest name of a group

/// The bytes at `offset`, or nothing where there are not so many.
std::optional<std::string_view> bytes_at(std::string_view from, std::uint64_t offset,
                                         std::uint64_t length) {
    if (offset > from.size() || length > from.size() - offset) return std::nullopt;
    return from.substr(offset, length);
}

/// A little-endian number of `size` bytes; the caller has made sure that they are there.
std::uint64_t number_at(std::string_view from, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(from[offset + i]);
    return value;
}

struct Area {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// struct pv_header: a uuid (32 bytes), the disk's size (8), then pairs of offset and size: those
/// of the data up to a pair of zeros, those of the metadata up to another.
Result<std::optional<Area>> first_metadata_area(std::string_view header) {
    int lists_ended = 0;
    for (std::size_t at = 40; const auto pair = bytes_at(header, at, 16); at += 16) {
        const Area area{number_at(*pair, 0, 8), number_at(*pair, 8, 8)};
        if (area.offset != 0 || area.size != 0) {
            if (lists_ended == 1) return area;
        } else if (++lists_ended == 2) {
            return std::nullopt;
        }
    }
    return fail(Errc::malformed, "LVM's label has no end");
}

bool belongs_in_a_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           "+_.-"sv.find(c) != std::string_view::npos;
}

/// The text begins "NAME {". The area is a ring of `size` bytes: after its end it goes on behind
/// its header. `area` is as much of it as was read.
Result<std::string> name_in(std::string_view area, std::uint64_t size, std::uint64_t offset) {
    if (offset < kSector || offset >= size) {
        return fail(Errc::malformed, "LVM's metadata lies outside of its area");
    }
    std::string name;
    for (std::size_t i = 0; i <= kNames; ++i) {
        std::uint64_t at = offset + i;
        if (at >= size) at = kSector + (at - size) % kSector;
        if (at >= area.size()) {
            return fail(Errc::malformed, "LVM's metadata goes beyond the first MiB");
        }
        const char c = area[at];
        if (c == ' ' && !name.empty()) return name;
        if (!belongs_in_a_name(c)) break;
        name += c;
    }
    return fail(Errc::malformed, "LVM's metadata does not begin with a group's name");
}

/// struct mda_header: checksum (4), magic (16), version (4), start (8), size (8), raw locations.
/// struct raw_locn: offset from the area's start (8), size (8), checksum (4), flags (4).
Result<LvmLabel> read_area(std::string_view disk, const Area& where) {
    const auto header = bytes_at(disk, where.offset, kSector);
    if (!header || header->substr(4, kAreaMagic.size()) != kAreaMagic ||
        number_at(*header, 20, 4) != 1 || number_at(*header, 24, 8) != where.offset) {
        return fail(Errc::malformed, fmt::format("LVM's metadata area at {} has no header that "
                                                 "can be understood",
                                                 where.offset));
    }
    const auto location = header->substr(40, 24);
    if (location.find_first_not_of('\0') == std::string_view::npos) {
        return LvmLabel{.empty_area = true};
    }
    const auto offset = number_at(location, 0, 8);
    if (offset == 0) return LvmLabel{}; // ignored (pvchange --metadataignore y)
    auto name = name_in(disk.substr(where.offset), where.size, offset);
    if (!name) return fail(std::move(name.error()));
    return LvmLabel{.group = std::move(*name)};
}

} // namespace

Result<std::optional<LvmLabel>> read_lvm_label(std::string_view disk) {
    for (std::size_t sector = 0; sector < kLabelSectors; ++sector) {
        const auto label = bytes_at(disk, sector * kSector, kSector);
        if (!label) break;
        // struct label_header: id (8), sector (8), checksum (4), offset of what follows (4), type.
        if (!label->starts_with(kLabelId) || label->substr(24, kLabelType.size()) != kLabelType) {
            continue;
        }
        const auto header = number_at(*label, 20, 4);
        if (header >= kSector) return fail(Errc::malformed, "LVM's label points outside of itself");
        const auto where = first_metadata_area(label->substr(header));
        if (!where) return fail(where.error());
        const std::optional<Area>& area = *where;
        if (!area) return LvmLabel{};
        auto read = read_area(disk, *area);
        if (!read) return fail(std::move(read.error()));
        return *read;
    }
    return std::nullopt;
}

} // namespace muster
