// What the parsers of the metadata service's answers, and of those of AWS, have in common.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace muster::probes {

/// Without the white space around it: answers come with a trailing newline, with CRLF, or without.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The beginning of what was found, for a message: quoted, and only printable ASCII.
[[nodiscard]] inline std::string excerpt(std::string_view text) {
    std::string safe(text.substr(0, 60));
    std::ranges::replace_if(safe, [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
    return "\"" + safe + (text.size() > 60 ? "...\"" : "\"");
}

/// The lines of a listing, trimmed.
[[nodiscard]] inline std::vector<std::string_view> lines_of(std::string_view listing) {
    std::vector<std::string_view> lines;
    std::string_view rest = trimmed(listing);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        lines.push_back(trimmed(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return lines;
}

/// Sorted, each once: an entry listed twice is one entry.
template <class T>
void sort_unique(std::vector<T>& items) {
    std::ranges::sort(items);
    const auto twins = std::ranges::unique(items);
    items.erase(twins.begin(), twins.end());
}

} // namespace muster::probes
