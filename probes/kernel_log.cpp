#include "probes/kernel_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fnmatch.h>

namespace muster::probes {
namespace {

struct Pattern {
    const char* glob; ///< as of fnmatch(3)
    const char* what;
};

// Most of them are node-problem-detector's (config/kernel-monitor.json, readonly-monitor.json);
// nvme's are from coreos/bugs 2371 and drivers/nvme/host/pci.c; each has a real line in the test.
constexpr std::array patterns = {
    Pattern{"*Remounting filesystem read-only*", "a filesystem was remounted read-only"},
    Pattern{"*EXT4-fs error *", "an error of ext4"},
    Pattern{"XFS *Shutting down filesystem*", "an XFS was shut down"},
    Pattern{"XFS *ilesystem has been shut down*", "an XFS was shut down"}, // as Linux 6.1 says it
    Pattern{"XFS *metadata I/O error*", "an I/O error on XFS's metadata"},
    Pattern{"*Buffer I/O error *", "an I/O error"},
    Pattern{"*I/O error, dev *", "an I/O error"},
    Pattern{"*task *blocked for more than *seconds*", "a program that hangs on I/O"},
    Pattern{"nvme *timeout, *", "a command of NVMe that timed out"},
    Pattern{"nvme *failed to mark controller *live*", "an NVMe controller that does not start"},
    Pattern{"nvme *Removing after probe failure*", "an NVMe controller that does not start"},
};

/// A number up to the next comma or semicolon, which is taken, too.
bool take_field(std::string_view& text, unsigned long long& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto length = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length == text.size() ||
        (text[length] != ',' && text[length] != ';')) {
        return false;
    }
    text.remove_prefix(length + 1);
    return true;
}

const Pattern* pattern_of(const std::string& text) {
    const auto found = std::ranges::find_if(patterns, [&](const Pattern& pattern) {
        return ::fnmatch(pattern.glob, text.c_str(), 0) == 0;
    });
    return found == patterns.end() ? nullptr : found;
}

} // namespace

std::optional<KernelRecord> parse_kernel_record(std::string_view record) {
    unsigned long long priority = 0;
    unsigned long long sequence = 0;
    unsigned long long microseconds = 0;
    if (!take_field(record, priority) || !take_field(record, sequence) ||
        !take_field(record, microseconds)) {
        return std::nullopt;
    }
    // Flags and whatever a later kernel puts after them; then the text, then "\n KEY=value" lines.
    const auto begin = record.find(';');
    if (begin == record.npos || priority > 7) return std::nullopt; // its facility is no 0, kernel
    record.remove_prefix(begin + 1);
    return KernelRecord{.level = static_cast<unsigned>(priority),
                        .seconds = static_cast<double>(microseconds) / 1e6,
                        .text = std::string(record.substr(0, record.find('\n')))};
}

std::vector<KernelTrouble> find_trouble(const std::vector<std::string>& records) {
    std::vector<KernelTrouble> found;
    for (const auto& raw : records) {
        const auto record = parse_kernel_record(raw);
        if (!record) continue;
        const auto* pattern = pattern_of(record->text);
        if (pattern == nullptr) continue;
        auto same = std::ranges::find(found, pattern->what, &KernelTrouble::what);
        if (same == found.end()) {
            found.push_back({.what = pattern->what,
                             .first = record->seconds,
                             .sample = record->text.substr(0, 200)});
            same = found.end() - 1;
        }
        ++same->count;
        same->last = record->seconds;
    }
    const auto rank = [](const KernelTrouble& trouble) {
        return std::ranges::find_if(
            patterns, [&](const Pattern& pattern) { return trouble.what == pattern.what; });
    };
    std::ranges::sort(found, {}, rank);
    return found;
}

} // namespace muster::probes
