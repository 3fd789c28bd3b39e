// What is at the beginning and at the end of a disk: libblkid's signatures, and what tools that
// were cut short leave. The input is an image, made small by disk_seed.py: a byte for its size (in
// units of 64 KiB, one to four), then pieces: where (two bytes, little-endian, in sectors of 512
// bytes; with the highest bit set from the end), how long (two bytes), and the bytes.
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/sys/blocks.h"
#include "agent/sys/lvm_label.h"
#include "agent/sys/remains.h"
#include "agent/sys/signatures.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

constexpr std::uint64_t unit = 64 << 10;
constexpr unsigned units = 4; // a longer image takes as much longer

/// Takes numbers and bytes from the input, as long as there are any.
class Pieces {
  public:
    explicit Pieces(std::string_view data) : data_(data) {}
    [[nodiscard]] bool empty() const { return data_.empty(); }
    std::string_view bytes(std::size_t size) {
        const auto taken = data_.substr(0, size);
        data_.remove_prefix(taken.size());
        return taken;
    }
    unsigned number(std::size_t size) {
        unsigned value = 0;
        unsigned shift = 0;
        for (const char c : bytes(size)) {
            value |= unsigned{static_cast<unsigned char>(c)} << shift;
            shift += 8;
        }
        return value;
    }

  private:
    std::string_view data_;
};

class Image {
  public:
    Image() : fd_(::memfd_create("disk", MFD_CLOEXEC)) { must(static_cast<bool>(fd_), "a memfd"); }
    [[nodiscard]] std::string node() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }
    [[nodiscard]] std::uint64_t size() const { return size_; }

    void make(std::string_view data) {
        Pieces pieces(data);
        size_ = (pieces.number(1) % units + 1) * unit;
        // To nothing first: what was written for the last input is gone.
        must(::ftruncate(fd_.get(), 0) == 0, "a memfd is emptied");
        must(::ftruncate(fd_.get(), static_cast<off_t>(size_)) == 0, "a memfd is made longer");
        while (!pieces.empty()) {
            const unsigned where = pieces.number(2);
            const std::uint64_t offset = std::uint64_t{where & 0x7fff} * 512;
            const auto bytes = pieces.bytes(pieces.number(2));
            const auto at = (where & 0x8000) == 0 ? offset : size_ - std::min(size_, offset);
            write(bytes.substr(0, size_ - std::min(size_, at)), at);
        }
    }

  private:
    void write(std::string_view bytes, std::uint64_t at) const {
        const auto written =
            ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        must(written == static_cast<ssize_t>(bytes.size()), "a memfd is written to");
    }

    Fd fd_;
    std::uint64_t size_ = 0;
};

bool all_zero(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == bytes.npos;
}

void try_remains(const Ends& ends, const std::vector<Signature>& signatures, bool zeroed) {
    if (zeroed) {
        must(signatures.empty(), "nothing is found on a disk of zeros");
        must(!is_cut_short_pvcreate(ends), "nor remains");
    }
    if (is_cut_short_pvcreate(ends)) {
        must(ends.last_zero, "remains of pvcreate: the end of the disk is zero");
        must(all_zero(std::string_view(ends.first).substr(0, 4096)) &&
                 all_zero(std::string_view(ends.first).substr(4096 + 512)),
             "remains of pvcreate: all but one sector is zero");
        must(all_zero(std::string_view(ends.first).substr(4096 + 40, 512 - 40)),
             "remains of pvcreate: no metadata were ever there");
    }
}

void try_label(std::string_view disk) {
    const auto label = read_lvm_label(disk);
    if (!label) return fuzz::must_be_presentable(label.error());
    const bool is_there = disk.substr(0, 4 * 512).find("LABELONE") != disk.npos;
    must(is_there || !*label, "no label where none is written");
    if (!*label) return;
    const auto& group = (*label)->group;
    must(!(*label)->empty_area || group.empty(), "an empty area holds no group");
    must(group.size() <= 128 && fuzz::is_printable(group), "a group's name is a name");
    must(!(*label)->empty_area || disk.find(" LVM2 x[5A%r0N*>") != disk.npos, "so does its area");
}

void try_out(std::string_view data) {
    static Image image;
    image.make(data);
    const auto source = open_blocks(image.node());
    must(source && source->size == image.size(), "an image can be opened");
    const auto ends = read_ends(*source);
    must(ends && !ends->first.empty(), "an image can be read");
    const auto digest = digest_ends(*source);
    must(digest && (*digest == 0) == (ends->last_zero && all_zero(ends->first)),
         "zeros are zeros, read either way");
    try_label(ends->first);
    if (is_empty_ext(*ends)) {
        must(std::string_view(ends->first).substr(1080, 2) == "\x53\xef",
             "an empty ext4 is an ext4");
    }
    const auto signatures = find_signatures(image.node());
    if (!signatures) {
        must(!signatures.error().message.empty(), "an error says what is wrong");
        must(*digest != 0, "an error is not for a disk of zeros");
        return;
    }
    must(signatures->size() <= 128, "signatures have a bound");
    for (const auto& signature : *signatures) {
        must(!signature.type.empty() && fuzz::is_printable(signature.type), "a type is a name");
        must(!signature.usage.empty() && fuzz::is_printable(signature.usage), "so is a usage");
        must(signature.offset < image.size(), "a signature is on the disk");
    }
    try_remains(*ends, *signatures, *digest == 0);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
