#include "lvm/summary.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <vector>

namespace muster::lvm {
namespace {

constexpr std::size_t most_errors = 3;
constexpr std::size_t most_bytes = 600;

using Lines = std::vector<std::string_view>;

std::string_view trimmed(std::string_view line) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    const auto last = line.find_last_not_of(" \t\r.");
    return last == std::string_view::npos ? std::string_view()
                                          : line.substr(first, last - first + 1);
}

/// Said whatever is the matter: our own settings (no backups, no lvmetad) are warned of each time,
/// and what to do is for a person at a terminal ("use -f").
bool is_boilerplate(std::string_view line) {
    constexpr std::array parts = {"NOT be backed up",
                                  "is NOT backed up",
                                  "lvmetad",
                                  "leaked on lvm invocation",
                                  "--help' for more information",
                                  "Cannot process volume group",
                                  "Use the -f option",
                                  "See vgreduce",
                                  "Consider vgreduce",
                                  "bcache_invalidate"};
    return std::ranges::any_of(parts, [&](std::string_view part) { return line.contains(part); });
}

/// A question is no warning: that it was not answered is why LVM gave up.
bool is_warning(std::string_view line) {
    return line.starts_with("WARNING:") && !line.contains("[y/n]");
}

/// Each line that may tell something, once.
Lines telling_lines(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with("Usage:")) break; // mkfs has said before what is wrong
        if (line.empty() || is_boilerplate(line)) continue;
        if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
    }
    return lines;
}

} // namespace

std::string summary(std::string_view text) {
    const auto lines = telling_lines(text);
    Lines chosen;
    std::ranges::copy_if(lines, std::back_inserter(chosen), std::not_fn(is_warning));
    if (chosen.size() > most_errors) chosen.resize(most_errors);
    if (const auto first = std::ranges::find_if(lines, is_warning); first != lines.end()) {
        chosen.push_back(*first);
    }
    std::string told;
    for (const auto line : chosen)
        told += (told.empty() ? "" : "; ") + std::string(line);
    // A report and the console are for people; what stands on a disk may be in what LVM says.
    std::ranges::replace_if(told, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    if (told.size() > most_bytes) told = told.substr(0, most_bytes) + "...";
    return told.empty() ? "it did not say why" : told;
}

} // namespace muster::lvm
