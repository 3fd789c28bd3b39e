#include <algorithm>

#include "agent/config/config.h"
#include "agent/config/table.h"
#include "agent/config/values.h"
#include "agent/sys/json_text.h"

namespace muster {

namespace {

constexpr std::string_view kHead =
    R"(<!-- Made by config_reference() from the table of keys in agent/config/keys.cpp. Not to be edited:
     a test compares the two. -->
# Configuration

JSON with comments, in UTF-8, at most 1 MiB a file. No file is needed: with none at all every key
below has its default.

## Files and merging

1. `/etc/muster/muster.json`
2. `/etc/muster/conf.d/*.json`, in the order of their names
3. `/run/muster/conf.d/*.json`, in the order of their names

`--config FILE`, which may be repeated, replaces all of these. Hidden files are left out.

Each file is laid over those before it, as RFC 7396 (JSON Merge Patch) says:

- An object is merged key by key. Anything else, a list too, is replaced whole. Therefore everything
  plural is an object keyed by a name of yours.
- `null` removes a named entry: `"volumes": {"scratch": null}`, the default volume too.
- `null` for any other key or section brings its default back.
- A sink whose `type` changes in a later file keeps its other keys; those that the new type does not
  have are a mistake until that file sets them to `null`.
- Rules between keys (for example: `report.deadline` is less than `deadline`) are about the merged
  whole, so that one file may complete another. Where one is broken, it is the mistake of the file
  from which on it stays broken.

## Mistakes

`muster config` prints the merged configuration and the place of every mistake. A key that is there
twice in one object is a mistake, and so is a key that this version knows but does not support yet,
unless it has its default.

An unknown key is a mistake for `muster config` only: `muster run` reports it (`config-unknown-key`)
and goes on. But under `ephemeral`, or where it looks like a misspelt `ephemeral`, no disk is written.

On any other mistake `muster run` changes nothing, exits with status 2, and reports
`failed / config-invalid` to the sinks of the files before the first one that is wrong, and to those
that this one adds, as far as no mistake is in them. Its `mode` counts, too; nothing else of it, and
nothing of the files after it. A file that is no JSON says nothing at all.

Values that may be secret are kept out of every message. Tokens and keys are never written in the
configuration itself: `token_file` and `client_key` are paths.

## Keys
)";

std::string code(const std::string& text) {
    return text.empty() ? "" : "`" + text + "`";
}

/// A cell of a table: a bar would end it.
std::string cell(std::string text) {
    for (auto at = text.find('|'); at != text.npos; at = text.find('|', at + 2)) {
        text.insert(at, "\\");
    }
    return text;
}

std::string about(const Key& key) {
    std::string text = key.about;
    if (!key.sinks.empty()) {
        std::string types;
        for (const auto& type : key.sinks) {
            types += (types.empty() ? "" : ", ") + code(type);
        }
        text += " (" + types + ")";
    }
    if (!key.example.empty()) {
        text += " Example: " + code(key.example) + ".";
    }
    return text;
}

std::string row(const Key& key) {
    std::string preset = key.preset.empty() ? "*to be given*" : code(key.preset);
    if (key.node == Key::Node::entry) {
        preset = "";
    }
    const bool is_value = key.node == Key::Node::value || key.node == Key::Node::entry;
    return "| " + code(key.path) + " | " + cell(is_value ? key.kind.expected : "named entries") +
           " | " + cell(preset) + " | " + cell(about(key)) + " |\n";
}

void add_rows(const KeyTable& table, const Key& key, std::string& text) {
    if (key.node != Key::Node::section) {
        text += row(key);
    }
    for (const Key* child : table.below(key)) {
        add_rows(table, *child, text);
    }
}

constexpr std::string_view kTableHead = "\n| Key | Value | Default | What it does |\n"
                                        "| --- | --- | --- | --- |\n";

std::string sections(const KeyTable& table) {
    std::string general = "\n### General\n" + std::string(kTableHead);
    std::string others;
    for (const Key* key : table.below(table.root())) {
        if (key->node == Key::Node::value) {
            general += row(*key);
            continue;
        }
        others += "\n### " + code(key->path) + "\n\n" + key->about + "\n" + std::string(kTableHead);
        add_rows(table, *key, others);
    }
    return general + others;
}

/// One key a line, with what it is as a comment in front of each section.
void add_defaults(const KeyTable& table, const Key& key, const nlohmann::ordered_json& value,
                  const std::string& indent, std::string& text) {
    if (key.node == Key::Node::value || !value.is_object() || value.empty()) {
        text += to_text(value);
        return;
    }
    text += "{\n";
    std::size_t left = value.size();
    for (const auto& [name, member] : value.items()) {
        const Key* child = table.find(key, name);
        if (child->node == Key::Node::section || child->node == Key::Node::map) {
            text += indent + "  // " + child->about + "\n";
        }
        text += indent + "  \"" + name + "\": ";
        add_defaults(table, *child, member, indent + "  ", text);
        text += --left == 0 ? "\n" : ",\n";
    }
    text += indent + "}";
}

} // namespace

std::string config_reference() {
    const KeyTable table;
    std::string text(kHead);
    text += sections(table);
    text += "\n## The whole default configuration\n\n```jsonc\n";
    const auto defaults = in_table_order(table, with_defaults(table, Json::object()));
    add_defaults(table, table.root(), defaults, "", text);
    return text + "\n```\n";
}

} // namespace muster
