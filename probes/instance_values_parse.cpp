#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/sys/json_text.h"
#include "probes/instance_values.h"
#include "probes/text.h"

namespace muster::probes {
namespace {

using Json = nlohmann::json;

// 50 of the owner and those beginning with "aws:".
constexpr std::size_t max_listed_tags = 200;
constexpr std::size_t max_tag_key = 128;   // characters
constexpr std::size_t max_tag_value = 256; // characters
constexpr std::size_t max_events = 100;

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

/// What the service can list: "Access instance tags using the IMDS", in the EC2 User Guide.
bool is_tag_key(std::string_view key) {
    return !key.empty() && key.size() <= max_tag_key && key != "." && key != ".." &&
           std::ranges::all_of(key, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("+-=.,_:@").contains(c);
           });
}

/// Of UTF-8.
std::size_t count_characters(std::string_view text) {
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    return static_cast<std::size_t>(std::ranges::count_if(text, begins));
}

/// ASCII's or those of ISO 8859-1 (U+0080 to U+009F), of which terminals obey some as well.
bool has_controls(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < ' ' || c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
            return true;
    }
    return false;
}

/// A member that is a text; nothing where it is missing or something else.
std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::unexpected<Error> malformed(std::string_view what, std::string_view expected,
                                 std::string_view found) {
    return fail(Errc::malformed,
                fmt::format("{}: expected {}, found {}", what, expected, excerpt(found)));
}

/// cloud-init's own first lines; any other comment is somebody's text.
constexpr std::string_view cloud_init_kinds[] = {
    "#cloud-boothook", "#cloud-config", "#cloud-config-archive", "#cloud-config-jsonp", "#include",
    "#include-once",   "#part-handler", "#upstart-job",          "## template: jinja"};

/// "#!/bin/sh" without its arguments, which may be anybody's secret.
std::string kind_of_script(std::string_view after_the_mark) {
    constexpr std::size_t longest = 38;
    const auto rest = trimmed(after_the_mark);
    const auto path = rest.substr(0, rest.find_first_of(" \t"));
    const bool is_path = path.starts_with('/') && path.size() <= longest && is_printable(path);
    return is_path ? "#!" + std::string(path) : "";
}

/// "" where the line tells nothing.
std::string kind_of_first_line(std::string_view line) {
    if (line.starts_with("#!")) return kind_of_script(line.substr(2));
    for (const auto kind : cloud_init_kinds) {
        if (line.starts_with(kind) && trimmed(line.substr(kind.size(), 1)).empty())
            return std::string(kind);
    }
    return "";
}

} // namespace

std::string_view to_string(Rule rule) {
    switch (rule) {
    case Rule::fixed: return "fixed";
    case Rule::live: return "live";
    case Rule::proved: return "proved";
    }
    return "";
}

Result<std::string> parse_line(std::string_view text) {
    const auto line = trimmed(text);
    if (line.empty() || line.size() > 255 || !is_printable(line) || line.front() == '<') {
        return malformed("instance metadata", "one word", line);
    }
    return std::string(line);
}

Result<std::vector<std::string>> parse_tag_keys(std::string_view listing) {
    std::vector<std::string> keys;
    for (const auto key : lines_of(listing)) {
        if (!is_tag_key(key) || keys.size() == max_listed_tags) {
            return malformed("tags", "keys of letters, digits and \"+-=.,_:@\", one a line", key);
        }
        keys.emplace_back(key);
    }
    if (keys.empty()) return fail(Errc::empty, "tags: the listing holds no key");
    sort_unique(keys);
    return keys;
}

Result<std::string> parse_tag_value(std::string_view text) {
    std::string value(trimmed(text));
    if (has_controls(value) || !is_utf8(value) || count_characters(value) > max_tag_value) {
        return malformed("tags", "at most 256 characters of UTF-8", value);
    }
    return value;
}

Result<Credentials> parse_credentials(std::string_view text) {
    const auto json = parse_json(text);
    // Nothing of what was found is ever quoted here.
    if (!json.is_object()) {
        return fail(Errc::malformed, "role credentials: expected a JSON object");
    }
    const auto code = text_of(json, "Code");
    if (code != "Success") {
        return fail(Errc::denied, fmt::format("role credentials: the service says {} instead of "
                                              "\"Success\"; see the role's trust policy",
                                              excerpt(code)));
    }
    Credentials credentials{.access_key_id = text_of(json, "AccessKeyId"),
                            .secret_access_key = text_of(json, "SecretAccessKey"),
                            .token = text_of(json, "Token"),
                            .expiration = text_of(json, "Expiration")};
    for (const auto* part : {&credentials.access_key_id, &credentials.secret_access_key,
                             &credentials.token, &credentials.expiration}) {
        // They become HTTP headers.
        if (part->empty() || !is_printable(*part)) {
            return fail(Errc::malformed, "role credentials: a member is missing or no plain text");
        }
    }
    return credentials;
}

Result<SpotAction> parse_spot_action(std::string_view text) {
    const auto json = parse_json(text);
    SpotAction action;
    if (json.is_object()) action = {text_of(json, "action"), text_of(json, "time")};
    if (action.action.empty() || action.time.empty()) {
        return malformed("spot/instance-action", R"({"action": ..., "time": ...})", text);
    }
    return action;
}

Result<std::vector<MaintenanceEvent>> parse_maintenance(std::string_view text) {
    const auto json = parse_json(text);
    if (!json.is_array() || json.size() > max_events) {
        return malformed("events/maintenance/scheduled", "a JSON array", text);
    }
    std::vector<MaintenanceEvent> events;
    for (const auto& item : json) {
        if (!item.is_object() || text_of(item, "Code").empty()) {
            return malformed("events/maintenance/scheduled", "events with a Code", text);
        }
        events.push_back({.id = text_of(item, "EventId"),
                          .code = text_of(item, "Code"),
                          .state = text_of(item, "State"),
                          .description = text_of(item, "Description"),
                          .not_before = text_of(item, "NotBefore"),
                          .not_after = text_of(item, "NotAfter")});
    }
    return events;
}

Result<std::string> parse_rebalance(std::string_view text) {
    const auto json = parse_json(text);
    auto time = json.is_object() ? text_of(json, "noticeTime") : "";
    if (time.empty()) {
        return malformed("events/recommendations/rebalance", R"({"noticeTime": ...})", text);
    }
    return time;
}

Result<std::string> parse_signature(std::string_view text) {
    std::string base64;
    for (const auto line : lines_of(text))
        base64 += line;
    const auto end = base64.find_last_not_of('=') + 1;
    const auto is_digit = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    };
    if (end == 0 || base64.size() % 4 != 0 || base64.size() - end > 2 ||
        !std::all_of(base64.begin(), base64.begin() + static_cast<std::ptrdiff_t>(end), is_digit)) {
        return malformed("signature", "base64", text);
    }
    return base64;
}

std::string kind_of_user_data(std::string_view data) {
    if (data.starts_with("\x1f\x8b")) return "gzip";
    if (auto kind = kind_of_first_line(data.substr(0, data.find('\n'))); !kind.empty()) return kind;
    if (data.starts_with("Content-Type: multipart/") || data.starts_with("MIME-Version:"))
        return "MIME";
    return is_utf8(std::string(data)) && data.find('\0') == data.npos ? "text" : "binary";
}

} // namespace muster::probes
