#include "agent/config/syntax.h"

#include <algorithm>
#include <array>

#include "agent/config/table.h"

namespace muster {

namespace {

/// Beyond anything the table knows, and little enough for whatever walks the document recursively.
constexpr std::size_t kDeepest = 32;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Columns count characters, as editors do.
std::string place(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
    const auto column =
        1 + std::ranges::count_if(before.substr(start), [](char c) { return !is_continuation(c); });
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// The length of the UTF-8 sequence at the front; 0 where there is none.
std::size_t utf8_length(std::string_view text) {
    struct Range {
        unsigned char first, last, second_low, second_high;
        std::size_t length;
    };
    // The Unicode Standard, table 3-7: overlong forms and surrogates are not UTF-8.
    constexpr std::array<Range, 8> kRanges = {{{0xc2, 0xdf, 0x80, 0xbf, 2},
                                               {0xe0, 0xe0, 0xa0, 0xbf, 3},
                                               {0xe1, 0xec, 0x80, 0xbf, 3},
                                               {0xed, 0xed, 0x80, 0x9f, 3},
                                               {0xee, 0xef, 0x80, 0xbf, 3},
                                               {0xf0, 0xf0, 0x90, 0xbf, 4},
                                               {0xf1, 0xf3, 0x80, 0xbf, 4},
                                               {0xf4, 0xf4, 0x80, 0x8f, 4}}};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) {
        return 1;
    }
    const auto range = std::ranges::find_if(
        kRanges, [&](const Range& r) { return byte(0) >= r.first && byte(0) <= r.last; });
    if (range == kRanges.end() || text.size() < range->length || byte(1) < range->second_low ||
        byte(1) > range->second_high ||
        !std::ranges::all_of(text.substr(1, range->length - 1), is_continuation)) {
        return 0;
    }
    return range->length;
}

/// Where the text stops being text, and why: the parser takes a zero byte for the end, and does not
/// look into comments.
std::optional<SyntaxMistake> bad_bytes(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto length = utf8_length(text.substr(i));
        if (length == 0) {
            return SyntaxMistake{place(text, i), "found a byte that is not UTF-8, expected text "
                                                 "in UTF-8"};
        }
        if (text[i] == '\0') {
            return SyntaxMistake{place(text, i), "found a zero byte, expected text"};
        }
        i += length;
    }
    return std::nullopt;
}

/// What the parser's message says between `from` and `to`. Its texts have been stable through all
/// of nlohmann 3; were one to change, the message would say less and stay right.
std::string_view between(std::string_view message, std::string_view from, std::string_view to) {
    const auto start = message.find(from);
    if (start == message.npos) {
        return {};
    }
    message.remove_prefix(start + from.size());
    return message.substr(0, message.find(to));
}

std::string_view expected_in(std::string_view context) {
    if (context == "object key") {
        return "a key in double quotes";
    }
    if (context == "object separator") {
        return "a colon after the key";
    }
    if (context == "object") {
        return "a comma or }";
    }
    if (context == "array") {
        return "a comma or ]";
    }
    return "a value: an object, a list, a text in double quotes, a number, true, false or null";
}

/// The token that ends right before `end` begins where?
std::size_t token_start(std::string_view text, std::size_t end, std::string_view unexpected) {
    if (end == 0) {
        return 0;
    }
    std::size_t start = end - 1;
    if (unexpected == "string literal") {
        const auto is_escaped = [&](std::size_t at) {
            const auto slashes = text.find_last_not_of('\\', at - 1);
            return (at - 1 - slashes) % 2 == 1;
        };
        while (start > 0 && (text[start - 1] != '"' || (start > 1 && is_escaped(start - 1)))) {
            --start;
        }
        return start == 0 ? 0 : start - 1;
    }
    // The parser stops at the first character that can't belong to a word it knows, and right after
    // one that it does.
    const bool is_word = unexpected.empty() || unexpected.ends_with("literal");
    const std::string_view ends = " \t\r\n,:[]{}\"/";
    while (is_word && start > 0 && ends.find(text[start - 1]) == ends.npos) {
        --start;
    }
    return start;
}

std::string word_at(std::string_view text, std::size_t start) {
    if (start >= text.size()) {
        return "the end of the file";
    }
    auto word = text.substr(start, text.find_first_of(" \t\r\n,:[]{}\"/", start + 1) - start);
    if (text[start] == '"') {
        return "a text";
    }
    std::size_t length = std::min<std::size_t>(word.size(), 20);
    while (length < word.size() && is_continuation(word[length])) {
        ++length;
    }
    return std::string(word.substr(0, std::max<std::size_t>(1, length)));
}

/// The parser's message about what stands right before `position`, in plain words. `expected`: what
/// should be there, where the message itself can't tell.
SyntaxMistake explained(std::string_view text, std::size_t position, std::string_view message,
                        std::string_view expected) {
    message = message.substr(0, message.find("; last read")); // the owner's text may say anything
    const auto end = std::clamp<std::size_t>(position, 1, text.size() + 1);
    for (const std::string name : {"string", "number", "comment"}) {
        if (const auto fault = between(message, "invalid " + name, "\n"); !fault.empty()) {
            return {place(text, end - 1),
                    "found a " + (name == "string" ? "text" : name) +
                        " that is not valid: " + std::string(fault.substr(2))};
        }
    }
    if (message.find("number overflow") != message.npos) {
        return {place(text, token_start(text, end, "number literal")),
                "found a number beyond all bounds, expected a smaller one"};
    }
    const auto start = token_start(text, end, between(message, "unexpected ", ";"));
    const bool is_after_comma = expected.empty() && word_at(text, start) == "}" &&
                                message.find("object key") != message.npos;
    const auto wanted =
        expected.empty() ? expected_in(between(message, "while parsing ", " - ")) : expected;
    return {place(text, start), "found " + word_at(text, start) + ", expected " +
                                    std::string(wanted) +
                                    (is_after_comma ? " (no comma after the last entry)" : "")};
}

/// Builds the document while the parser reads, and looks for what the parser lets pass.
class Reader : public nlohmann::json_sax<Json> {
  public:
    explicit Reader(std::string_view text) : text_(text) {}
    ParsedText result() && { return std::move(result_); }

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        if (open_.back().value->contains(name)) {
            result_.mistakes.push_back({step_into(open_.back().path, name),
                                        "found this key twice in one object, expected it once"});
        }
        name_ = std::move(name);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception& error) override {
        explain(position, error.what());
        return false;
    }

  private:
    struct Open {
        Json* value;
        std::string path;
    };

    bool put(Json value) { return place_value(std::move(value)) != nullptr; }

    Json* place_value(Json value) {
        if (open_.empty()) {
            if (!value.is_object()) {
                result_.mistakes.push_back(
                    {"line 1, column 1",
                     "found " + to_shown(value) + ", expected an object: { ... }"});
                return nullptr;
            }
            result_.document = std::move(value);
            return &*result_.document;
        }
        Json& parent = *open_.back().value;
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        Json& child = parent[name_];
        child = std::move(value);
        return &child;
    }

    bool open(Json value) {
        if (open_.size() == kDeepest) {
            result_.document.reset();
            result_.mistakes.push_back(
                {open_.back().path.substr(0, 60), "found more than " + std::to_string(kDeepest) +
                                                      " levels of nesting, expected less"});
            return false;
        }
        const bool in_object = !open_.empty() && open_.back().value->is_object();
        const std::string above = open_.empty() ? "" : open_.back().path;
        const std::string path = in_object ? step_into(above, name_) : above;
        Json* placed = place_value(std::move(value));
        open_.push_back({placed, path});
        return placed != nullptr;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    void explain(std::size_t position, std::string_view message) {
        const bool ended = result_.document.has_value() && open_.empty();
        const bool begun = ended || !open_.empty();
        result_.document.reset();
        result_.mistakes.push_back(explained(text_, position, message,
                                             ended   ? "nothing more after the closing }"
                                             : begun ? ""
                                                     : "an object: { ... }"));
    }

    std::string_view text_;
    ParsedText result_;
    std::vector<Open> open_;
    std::string name_;
};

} // namespace

ParsedText parse_config_text(std::string_view text) {
    if (auto mistake = bad_bytes(text)) {
        return {std::nullopt, {std::move(*mistake)}};
    }
    Reader reader(text);
    Json::sax_parse(text, &reader, nlohmann::detail::input_format_t::json, true, true);
    return std::move(reader).result();
}

} // namespace muster
