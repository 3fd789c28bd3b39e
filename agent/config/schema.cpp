// docs/config.schema.json from the table of keys: for editors, and for the cloud-init module. It
// knows names and types; whether a value is right, `muster config` says.
#include <set>

#include "agent/config/config.h"
#include "agent/config/table.h"
#include "agent/sys/json_text.h"

namespace muster {
namespace {

const char* type_of(const Json& value) {
    if (value.is_boolean()) return "boolean";
    if (value.is_number()) return "number";
    if (value.is_string()) return "string";
    if (value.is_array()) return "array";
    return value.is_object() ? "object" : "null";
}

/// A kind is a check, and says nothing of types: so it is asked.
Json types_of(const Key& key) {
    std::set<std::string> types{"null"}; // brings the default back, or removes an entry
    if (!key.preset.empty()) types.insert(type_of(key.preset_value()));
    if (!key.example.empty()) types.insert(type_of(parse_json(key.example)));
    for (const Json& sample : {Json(true), Json(1U), Json(100U), Json::object({{"min", 2}})})
        if (!key.kind.check(sample)) types.insert(type_of(sample));
    // Every form of text is a kind of its own.
    if (types.size() == 1) types.insert("string");
    return types;
}

Json schema_of(const KeyTable& table, const Key& key) {
    Json schema = {{"type", key.node == Key::Node::value ? types_of(key) : Json{"object", "null"}}};
    if (!key.about.empty()) schema["description"] = key.about;
    if (key.node == Key::Node::value) {
        schema["description"] = key.kind.expected + ". " + key.about;
        return schema;
    }
    if (key.node == Key::Node::map) {
        for (const Key* entry : table.below(key))
            schema["additionalProperties"] = schema_of(table, *entry);
        return schema;
    }
    schema["additionalProperties"] = false;
    schema["properties"] = Json::object();
    for (const Key* child : table.below(key))
        schema["properties"][std::string(child->name())] = schema_of(table, *child);
    return schema;
}

} // namespace

std::string config_schema() {
    const KeyTable table;
    auto schema = schema_of(table, table.root());
    schema["type"] = "object"; // a file that is null is none
    schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    schema["title"] = "muster's configuration, see muster.json(5)";
    return to_text(schema, 2) + "\n";
}

} // namespace muster
