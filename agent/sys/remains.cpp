#include "agent/sys/remains.h"

#include <cstdint>
#include <string>

namespace muster {

namespace {

using namespace std::string_view_literals;

// struct mda_header of LVM2's lib/format_text/layout.h, little-endian, at the start of the metadata
// area: checksum (4 bytes), magic (16), version (4), start (8), size (8), then the locations of the
// metadata's copies, all zero for as long as there is none.
constexpr std::size_t kHeader = 4096;
constexpr std::size_t kSector = 512;
constexpr std::size_t kBlock = 4096;
constexpr auto kMagic = " LVM2 x[5A%r0N*>"sv;
constexpr auto kVersion = "\1\0\0\0"sv;
constexpr auto kStart = "\0\x10\0\0\0\0\0\0"sv;
constexpr std::size_t kLocations = 40;

bool all_zero(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

} // namespace

bool is_cut_short_pvcreate(const Ends& ends) {
    const std::string_view disk = ends.first;
    if (disk.size() < kHeader + kBlock) {
        return false;
    }
    const auto header = disk.substr(kHeader, kSector);
    // Behind the header its block may hold the text of a group that was removed: it can't be zeroed
    // without the header where sectors are of 4096 bytes, so a wipe leaves it (lvm/wipe.cpp).
    return header.substr(4).starts_with(kMagic) && header.substr(20).starts_with(kVersion) &&
           header.substr(24).starts_with(kStart) && all_zero(header.substr(kLocations)) &&
           all_zero(disk.substr(0, kHeader)) && all_zero(disk.substr(kHeader + kBlock)) &&
           ends.last_zero;
}

bool is_empty_ext(const Ends& ends) {
    // struct ext4_super_block at 1024, little-endian.
    constexpr std::size_t kSuper = 1024;
    constexpr std::size_t kSuperSize = 1024;
    if (ends.first.size() < kSuper + kSuperSize) {
        return false;
    }
    const auto super = std::string_view(ends.first).substr(kSuper, kSuperSize);
    const auto number = [&](std::size_t offset, std::size_t size) {
        std::uint32_t value = 0;
        for (std::size_t i = size; i-- > 0;) {
            value = value << 8 | static_cast<unsigned char>(super[offset + i]);
        }
        return value;
    };
    constexpr std::uint32_t kExt = 0xef53;
    constexpr std::uint32_t kFirstInode =
        11; // lost+found; those before it are the filesystem's own
    constexpr std::uint32_t kClean = 1;
    constexpr std::uint32_t kRecover = 4;
    const auto inodes = number(0, 4);
    const auto free_inodes = number(16, 4);
    const bool consistent = number(56, 2) == kExt && number(76, 4) == 1 &&
                            number(58, 2) == kClean && (number(96, 4) & kRecover) == 0 &&
                            number(232, 4) == 0; // no orphans to clean up
    return consistent && number(84, 4) == kFirstInode && inodes > kFirstInode &&
           free_inodes == inodes - kFirstInode;
}

} // namespace muster
