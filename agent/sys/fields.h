// Members of a JSON object that somebody else wrote, or an earlier version of ours: what is not
// there, or is of another type, is `otherwise`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace muster::fields {

/// The member, or null; null too where `json` is no object.
template <class Json>
[[nodiscard]] const Json& member(const Json& json, const char* key) {
    static const Json none;
    if (!json.is_object()) return none;
    const auto found = json.find(key);
    return found == json.end() ? none : *found;
}

template <class Json>
[[nodiscard]] std::string text(const Json& json, const char* key, const char* otherwise = "") {
    const auto& found = member(json, key);
    return found.is_string() ? found.template get<std::string>() : otherwise;
}

template <class Json>
[[nodiscard]] bool flag(const Json& json, const char* key, bool otherwise) {
    const auto& found = member(json, key);
    return found.is_boolean() ? found.template get<bool>() : otherwise;
}

template <class Json>
[[nodiscard]] double number(const Json& json, const char* key, double otherwise) {
    const auto& found = member(json, key);
    return found.is_number() ? found.template get<double>() : otherwise;
}

} // namespace muster::fields
