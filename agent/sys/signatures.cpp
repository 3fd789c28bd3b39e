#include "agent/sys/signatures.h"

#include <algorithm>
#include <blkid/blkid.h>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <map>
#include <memory>

#include "agent/sys/fd.h"

namespace muster {

namespace {

struct FreeProbe {
    void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<blkid_struct_probe, FreeProbe>;

/// More signatures than a disk in use has. One type may have hundreds (each uberblock of ZFS is
/// one); the limits bound the search.
constexpr int kMaxSignatures = 128;
constexpr int kMaxOfOneType = 16;

struct Found {
    Signature signature;
    std::size_t magic_size = 0; ///< 0: libblkid does not say where its magic bytes are
};

/// A value of the probe's last result; empty where it has none of that name.
std::string value(blkid_probe probe, const char* name) {
    const char* data = nullptr;
    std::size_t size = 0;
    if (blkid_probe_lookup_value(probe, name, &data, &size) != 0 || data == nullptr || size == 0) {
        return "";
    }
    return {data, size - 1}; // the size counts a closing zero
}

std::size_t value_size(blkid_probe probe, const char* name) {
    std::size_t size = 0;
    return blkid_probe_lookup_value(probe, name, nullptr, &size) == 0 ? size : 0;
}

Result<std::uint64_t> to_offset(const std::string& text) {
    std::uint64_t offset = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
    if (error != std::errc() || end != text.data() + text.size()) {
        return fail(Errc::malformed, "libblkid says an offset of \"" + text + "\"");
    }
    return offset;
}

Result<Found> read_found(blkid_probe probe) {
    Found found;
    std::string offset;
    if (auto type = value(probe, "TYPE"); !type.empty()) {
        found.signature = {type, value(probe, "USAGE"), value(probe, "LABEL"),
                           value(probe, "UUID")};
        offset = value(probe, "SBMAGIC_OFFSET");
        found.magic_size = value_size(probe, "SBMAGIC");
    } else if (auto table = value(probe, "PTTYPE"); !table.empty()) {
        found.signature = {table, "partition table", "", value(probe, "PTUUID")};
        offset = value(probe, "PTMAGIC_OFFSET");
        found.magic_size = value_size(probe, "PTMAGIC");
    } else {
        return fail(Errc::malformed, "libblkid found something that it can't name");
    }
    if (found.magic_size == 0 || offset.empty()) {
        found.magic_size = 0;
        return found;
    }
    auto number = to_offset(offset);
    if (!number) {
        return fail(std::move(number.error()));
    }
    found.signature.offset = *number;
    return found;
}

Result<Probe> prepare(int fd) {
    errno = 0;
    Probe probe(blkid_new_probe());
    // BADCSUM: a superblock that is damaged is still somebody's data. FORCE_GPT: so is a partition
    // table whose protective MBR is gone.
    const bool ready =
        probe && blkid_probe_set_device(probe.get(), fd, 0, 0) == 0 &&
        blkid_probe_enable_superblocks(probe.get(), 1) == 0 &&
        blkid_probe_set_superblocks_flags(
            probe.get(), BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
                             BLKID_SUBLKS_UUID | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_BADCSUM) == 0 &&
        blkid_probe_enable_partitions(probe.get(), 1) == 0 &&
        blkid_probe_set_partitions_flags(probe.get(), BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT) ==
            0;
    if (!ready) {
        return fail_errno(errno != 0 ? errno : EIO, "libblkid can't begin");
    }
    return probe;
}

/// Everything, one by one. Found magic bytes are hidden (in libblkid's memory, not on the disk) and
/// the same search is made again: only so does it come upon the second copy of a GPT. A type that
/// was found often enough is left behind, and the search goes on with the next.
Result<std::vector<Signature>> search(blkid_probe probe) {
    std::vector<Signature> all;
    std::map<std::string, int> times;
    for (int i = 0; i < kMaxSignatures; ++i) {
        errno = 0;
        const int result = blkid_do_probe(probe);
        if (result == 1) {
            return all;
        }
        if (result != 0) {
            // Never "no signature". The value is -1, or -errno, as it comes.
            const int error = errno != 0 ? errno : result < -1 ? -result : EIO;
            return fail_errno(error, "libblkid can't read it all");
        }
        auto found = read_found(probe);
        if (!found) {
            return fail(std::move(found.error()));
        }
        if (std::ranges::find(all, found->signature) == all.end()) {
            all.push_back(found->signature);
        }
        const bool enough = ++times[found->signature.type] >= kMaxOfOneType;
        if (!enough && found->magic_size != 0 &&
            blkid_probe_hide_range(probe, found->signature.offset, found->magic_size) == 0) {
            blkid_probe_step_back(probe);
        }
    }
    return all;
}

} // namespace

Result<std::vector<Signature>> find_signatures(const std::string& node) {
    const Fd fd(::open(node.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return fail_errno(errno, "can't open " + node);
    }
    // libblkid reads through the page cache. The kernel drops a disk's pages when its last user
    // closes it, so old ones are only there while someone else has it open. This drops those that
    // are clean; what is dirty is newer than the disk and is what has to be seen. (BLKFLSBUF would
    // write them out first: not for one who promised to read only, and it can hang.)
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    auto probe = prepare(fd.get());
    if (!probe) {
        return fail(std::move(probe.error()));
    }
    return search(probe->get());
}

} // namespace muster
