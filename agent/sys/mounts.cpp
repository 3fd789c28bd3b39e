#include "agent/sys/mounts.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace muster {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        parts.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

/// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::ranges::all_of(text.substr(i + 1, 3), is_octal)) {
            plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                       (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

bool has_option(std::string_view options, std::string_view wanted) {
    const auto all = split(options, ',');
    return std::ranges::find(all, wanted) != all.end();
}

bool parse_line(std::string_view line, Mount& mount) {
    // 36 35 98:0 /root /target rw,noatime master:1 - ext4 /dev/root rw,errors=continue
    const auto words = split(line, ' ');
    const auto dash = std::ranges::find(words, std::string_view("-"));
    if (dash - words.begin() < 6 || words.end() - dash < 4) return false;
    if (!parse_number(words[0], mount.id)) return false;
    const auto number = split(words[2], ':');
    if (number.size() != 2 || !parse_number(number[0], mount.major) ||
        !parse_number(number[1], mount.minor)) {
        return false;
    }
    mount.root = unescape(words[3]);
    mount.target = unescape(words[4]);
    mount.filesystem = dash[1];
    mount.source = unescape(dash[2]);
    mount.read_only = has_option(words[5], "ro") || has_option(dash[3], "ro");
    mount.automount = mount.filesystem == "autofs" && has_option(dash[3], "direct");
    return true;
}

} // namespace

Result<std::vector<Mount>> parse_mountinfo(std::string_view text) {
    std::vector<Mount> mounts;
    for (const auto line : split(text, '\n')) {
        if (line.empty()) continue;
        Mount mount;
        if (!parse_line(line, mount)) {
            return fail(Errc::malformed, fmt::format("mountinfo: can't understand the line \"{}\"",
                                                     line.substr(0, 200)));
        }
        mounts.push_back(std::move(mount));
    }
    return mounts;
}

} // namespace muster
