#include "agent/sys/http_header.h"

#include <algorithm>
#include <string>

namespace muster {
namespace {

constexpr std::string_view white = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(white);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::string in_lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

} // namespace

std::optional<HttpHeader> parse_header_line(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == line.npos) return std::nullopt;
    const auto name = trimmed(line.substr(0, colon));
    if (name.empty() || name.find_first_of(white) != name.npos) return std::nullopt;
    return HttpHeader(in_lower_case(name), trimmed(line.substr(colon + 1)));
}

} // namespace muster
