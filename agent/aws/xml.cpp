#include "agent/aws/xml.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "probes/text.h"

namespace muster::aws {
namespace {

constexpr std::size_t max_depth = 20;
constexpr std::size_t max_elements = 10000;

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= 200 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-.:").contains(c);
    });
}

void append_utf8(std::string& text, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    const auto put_rest = [&](unsigned shift) { put(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put_rest(0);
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put_rest(6);
        put_rest(0);
    } else {
        put(0xf0 | code >> 18);
        put_rest(12);
        put_rest(6);
        put_rest(0);
    }
}

/// "amp", "#38", "#x26"
bool append_entity(std::string& text, std::string_view name) {
    constexpr std::pair<std::string_view, char> known[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [known_name, c] : known) {
        if (name != known_name) continue;
        text += c;
        return true;
    }
    if (!name.starts_with('#')) return false;
    const bool hex = name.starts_with("#x");
    const auto digits = name.substr(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (error != std::errc() || end != digits.data() + digits.size() || code == 0 ||
        code > 0x10ffff || surrogate)
        return false;
    append_utf8(text, code);
    return true;
}

std::optional<std::string> without_entities(std::string_view raw) {
    std::string text;
    while (true) {
        const auto ampersand = std::min(raw.find('&'), raw.size());
        text += raw.substr(0, ampersand);
        if (ampersand == raw.size()) return text;
        const auto end = raw.find(';', ampersand);
        if (end == raw.npos || !append_entity(text, raw.substr(ampersand + 1, end - ampersand - 1)))
            return std::nullopt;
        raw.remove_prefix(end + 1);
    }
}

class Reader {
  public:
    explicit Reader(std::string_view text) : whole_(text), rest_(text) {}

    Result<Element> read() {
        Element root;
        if (!skip_notes() || !element(root, 1) || !skip_notes() || !rest_.empty()) {
            return fail(Errc::malformed,
                        fmt::format("expected XML, found {}", probes::excerpt(whole_)));
        }
        return root;
    }

  private:
    bool take(std::string_view mark) {
        if (!rest_.starts_with(mark)) return false;
        rest_.remove_prefix(mark.size());
        return true;
    }

    /// What stands before the mark; the mark is taken too. Nothing where there is no mark.
    std::optional<std::string_view> until(std::string_view mark) {
        const auto end = rest_.find(mark);
        if (end == rest_.npos) return std::nullopt;
        const auto part = rest_.substr(0, end);
        rest_.remove_prefix(end + mark.size());
        return part;
    }

    /// White space, "<?xml ... ?>" and comments.
    bool skip_notes() {
        while (true) {
            rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
            if (take("<?")) {
                if (!until("?>")) return false;
            } else if (take("<!--")) {
                if (!until("-->")) return false;
            } else {
                return true;
            }
        }
    }

    /// Behind the name: attributes, whose values may hold a ">".
    bool attributes() {
        while (!rest_.empty() && rest_.front() != '>' && rest_.front() != '/') {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '<') return false;
            if ((c == '"' || c == '\'') && !until(std::string_view(&c, 1))) return false;
        }
        return true;
    }

    bool element(Element& into, std::size_t depth) {
        if (depth > max_depth || ++elements_ > max_elements || !take("<")) return false;
        const auto end = std::min(rest_.find_first_of(" \t\r\n/>"), rest_.size());
        into.name = rest_.substr(0, end);
        rest_.remove_prefix(end);
        if (!is_name(into.name) || !attributes()) return false;
        if (take("/>")) return true;
        return take(">") && content(into, depth);
    }

    /// Up to and with the end tag.
    bool content(Element& into, std::size_t depth) {
        while (true) {
            const auto end = std::min(rest_.find('<'), rest_.size());
            const auto text = without_entities(rest_.substr(0, end));
            if (!text) return false;
            into.text += *text;
            rest_.remove_prefix(end);
            if (take("</")) {
                const auto name = until(">");
                into.text = probes::trimmed(into.text);
                return name && probes::trimmed(*name) == into.name;
            }
            if (rest_.starts_with("<!--") || rest_.starts_with("<?")) {
                if (!skip_notes()) return false;
                continue;
            }
            if (!element(into.children.emplace_back(), depth + 1)) return false;
        }
    }

    std::string_view whole_, rest_;
    std::size_t elements_ = 0;
};

} // namespace

const Element* Element::child(std::string_view of_name) const {
    const auto found = std::ranges::find(children, of_name, &Element::name);
    return found == children.end() ? nullptr : &*found;
}

std::string Element::text_of(std::string_view of_name) const {
    const auto* found = child(of_name);
    return found == nullptr ? "" : found->text;
}

Result<Element> parse_xml(std::string_view text) {
    return Reader(text).read();
}

} // namespace muster::aws
