// The table of keys: the one source of names, kinds, defaults and explanations. The checker, the
// defaults, `muster config` and docs/configuration.md are all made from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/kinds.h"

namespace muster {

/// One key. Its path is "metadata.confirmations"; `*` stands for a name of the owner's:
/// "ephemeral.volumes.*.size".
struct Key {
    enum class Node {
        value,
        section, ///< an object whose keys are in this table
        map,     ///< an object whose keys are names of the owner's
        entry    ///< what such a name stands for; `kind` is that of the name
    };
    std::string path;
    Node node = Node::value;
    Kind kind;
    std::string preset; ///< the default as JSON; "": there is none and the key must be given
    std::string about;
    std::string example = {};
    std::vector<std::string> sinks = {}; ///< of a sink: the types that have this key; none: all

    [[nodiscard]] std::string_view name() const; ///< the last step of the path
    [[nodiscard]] Json preset_value() const;
};

/// All rows, each after the one that it is beneath; the first is the root. Read them through
/// KeyTable.
[[nodiscard]] std::vector<Key> config_keys();

} // namespace muster
