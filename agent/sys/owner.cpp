// Names of users and groups to numbers.
#include <charconv>
#include <optional>

#include "agent/sys/mounter.h"

namespace muster {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

std::optional<unsigned> to_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
        number == static_cast<unsigned>(-1)) { // -1 would mean "leave it" to chown
        return std::nullopt;
    }
    return number;
}

/// Fields of the line whose field `index` is `key`; empty where there is none.
std::vector<std::string_view> find_line(std::string_view file, std::size_t index,
                                        std::string_view key) {
    for (const auto line : split(file, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() > 3 && fields[index] == key) {
            return fields;
        }
    }
    return {};
}

/// The number of a name: field 2 in both files.
Result<unsigned> look_up(std::string_view kind, std::string_view name, std::string_view file) {
    if (const auto number = to_number(name)) {
        return *number;
    }
    const auto fields = find_line(file, 0, name);
    const auto number = fields.empty() ? std::nullopt : to_number(fields[2]);
    if (!number) {
        return fail(Errc::absent, "no " + std::string(kind) + " \"" + std::string(name) + "\"");
    }
    return *number;
}

} // namespace

Result<Owner> resolve_owner(std::string_view owner, std::string_view passwd,
                            std::string_view group) {
    const auto colon = owner.find(':');
    const auto user = look_up("user", owner.substr(0, colon), passwd);
    if (!user) {
        return fail(user.error());
    }
    if (colon != std::string_view::npos) {
        const auto named = look_up("group", owner.substr(colon + 1), group);
        if (!named) {
            return fail(named.error());
        }
        return Owner{*user, *named};
    }
    const auto fields = find_line(passwd, 2, std::to_string(*user));
    const auto own = fields.empty() ? std::nullopt : to_number(fields[3]);
    if (!own) {
        return fail(Errc::absent, "no group known for user \"" + std::string(owner) + "\"");
    }
    return Owner{*user, *own};
}

} // namespace muster
