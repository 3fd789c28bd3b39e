#include "agent/sys/disk_content.h"

#include "agent/sys/blocks.h"
#include "agent/sys/lvm_label.h"
#include "agent/sys/remains.h"
#include "agent/sys/signatures.h"

namespace muster {

namespace {

/// What vgcreate has just written stands at the beginning; the text of an older group may stand
/// further on.
Result<std::optional<LvmLabel>> read_label(const BlockSource& source) {
    constexpr std::uint64_t near = 64 << 10;
    constexpr std::uint64_t all = 1 << 20;
    Result<std::optional<LvmLabel>> label;
    for (const auto length : {near, all}) {
        const auto beginning = read_beginning(source, length);
        if (!beginning) {
            return fail(beginning.error());
        }
        label = read_lvm_label(*beginning);
        if (label) {
            break;
        }
    }
    return label;
}

/// A label that can't be understood is nothing that may be written over.
Result<bool> has_empty_lvm_area(const BlockSource& source) {
    const auto read = read_label(source);
    if (!read) {
        return read.error().code == Errc::malformed ? Result<bool>(false) : fail(read.error());
    }
    const std::optional<LvmLabel>& label = *read;
    return label && label->empty_area;
}

/// Of a disk that carries nothing, or one filesystem: whether somebody was interrupted there, or
/// has only begun.
Result<DiskContent> with_remains(DiskContent content, const BlockSource& source) {
    constexpr std::uint64_t superblock = 4096;
    const auto type = content.signatures.empty() ? "" : content.signatures.front().type;
    if (type.empty()) {
        const auto ends = read_ends(source);
        if (!ends) {
            return fail(ends.error());
        }
        content.lvm_remains = is_cut_short_pvcreate(*ends);
    } else if (type == "LVM2_member") {
        const auto empty = has_empty_lvm_area(source);
        if (!empty) {
            return fail(empty.error());
        }
        content.lvm_empty = *empty;
    } else if (type == "ext3" || type == "ext4") {
        auto first = read_beginning(source, superblock);
        if (!first) {
            return fail(std::move(first.error()));
        }
        content.preformatted = is_empty_ext({std::move(*first), false});
    }
    return content;
}

} // namespace

Result<DiskContent> read_disk_content(const std::string& node) {
    const auto source = open_blocks(node);
    if (!source) {
        return fail(source.error());
    }
    const auto ends = digest_ends(*source);
    if (!ends) {
        return fail(ends.error());
    }
    auto signatures = find_signatures(node);
    if (!signatures) {
        return fail(std::move(signatures.error()));
    }
    DiskContent content{.signatures = std::move(*signatures), .zeroed = *ends == 0, .ends = *ends};
    // More than one signature says nothing of which of them is meant.
    if (content.zeroed || content.signatures.size() > 1) {
        return content;
    }
    return with_remains(std::move(content), *source);
}

Result<std::string> read_volume_group(const std::string& node) {
    const auto source = open_blocks(node);
    if (!source) {
        return fail(source.error());
    }
    const auto read = read_label(*source);
    if (!read) {
        return fail(read.error());
    }
    const std::optional<LvmLabel>& label = *read;
    if (!label || label->empty_area) {
        return "";
    }
    if (label->group.empty()) {
        return fail(Errc::malformed, "an LVM label that does not say of which group");
    }
    return label->group;
}

} // namespace muster
