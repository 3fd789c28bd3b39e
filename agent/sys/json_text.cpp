#include "agent/sys/json_text.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace muster {
namespace {

constexpr auto replace = nlohmann::json::error_handler_t::replace;

} // namespace

nlohmann::json parse_json(std::string_view text) {
    return nlohmann::json::parse(text, nullptr, false);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text) {
    return nlohmann::ordered_json::parse(text, nullptr, false);
}

std::string to_text(const nlohmann::json& json, int indent) {
    return json.dump(indent, ' ', false, replace);
}

std::string to_text(const nlohmann::ordered_json& json, int indent) {
    return json.dump(indent, ' ', false, replace);
}

std::string to_ascii_text(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', true, replace);
}

std::string to_cbor(const nlohmann::json& json) {
    const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(json);
    return {bytes.begin(), bytes.end()};
}

nlohmann::json parse_cbor(std::string_view bytes) {
    return nlohmann::json::from_cbor(bytes, true, false);
}

bool is_utf8(const std::string& text) {
    try {
        static_cast<void>(nlohmann::json(text).dump());
        return true;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

} // namespace muster
