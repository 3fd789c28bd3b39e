// JSON to text and CBOR, and back. Here for the compiler's sake: nlohmann's parser and serializer
// are templates, and each file that uses them itself takes a second longer to compile.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace muster {

/// Discarded (`is_discarded()`) where the text is no JSON.
[[nodiscard]] nlohmann::json parse_json(std::string_view text);
/// The same; members keep their order.
[[nodiscard]] nlohmann::ordered_json parse_ordered_json(std::string_view text);

/// `indent` -1: on one line. Bytes that are no UTF-8 become U+FFFD: names and messages hold what
/// devices and servers say.
[[nodiscard]] std::string to_text(const nlohmann::json& json, int indent = -1);
[[nodiscard]] std::string to_text(const nlohmann::ordered_json& json, int indent = -1);
/// The same with all that is not ASCII as "\uXXXX".
[[nodiscard]] std::string to_ascii_text(const nlohmann::ordered_json& json);

/// CBOR (RFC 8949), for the ends of one program. Discarded where the bytes are none.
[[nodiscard]] std::string to_cbor(const nlohmann::json& json);
[[nodiscard]] nlohmann::json parse_cbor(std::string_view bytes);

/// Whether the text could be a string of JSON.
[[nodiscard]] bool is_utf8(const std::string& text);

} // namespace muster
