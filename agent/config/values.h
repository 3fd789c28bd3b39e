// From the merged document to what it says.
#pragma once

#include "agent/config/config.h"
#include "agent/config/table.h"

namespace muster {

/// The document with the default of every key that it leaves out, and without unknown keys. What is
/// wrong in it stays as it is.
[[nodiscard]] Json with_defaults(const KeyTable& table, const Json& document);

/// The same in the order of the table, for people.
[[nodiscard]] nlohmann::ordered_json in_table_order(const KeyTable& table, const Json& document);

/// Of a document with all defaults and without any mistake.
[[nodiscard]] Config to_config(const Json& document);

/// The member, or null where there is none.
[[nodiscard]] const Json& member(const Json& object, const char* name);
/// Its text, or "" where it is no text.
[[nodiscard]] std::string text_of(const Json& object, const char* name);

} // namespace muster
