#include "agent/config/table.h"

#include <algorithm>

#include "agent/sys/json_text.h"

namespace muster {

std::string_view Key::name() const {
    const auto dot = path.rfind('.');
    return std::string_view(path).substr(dot == path.npos ? 0 : dot + 1);
}

Json Key::preset_value() const {
    return parse_json(preset);
}

KeyTable::KeyTable() : keys_(config_keys()) {
    for (const auto& key : keys_) {
        if (&key == &root()) {
            continue;
        }
        const auto dot = key.path.rfind('.');
        below_[dot == key.path.npos ? "" : key.path.substr(0, dot)].push_back(&key);
    }
}

const std::vector<const Key*>& KeyTable::below(const Key& parent) const {
    static const std::vector<const Key*> none;
    const auto found = below_.find(parent.path);
    return found == below_.end() ? none : found->second;
}

const Key* KeyTable::find(const Key& parent, std::string_view name) const {
    const auto& keys = below(parent);
    if (parent.node == Key::Node::map) {
        return keys.front(); // the one entry "*"
    }
    const auto found = std::ranges::find(keys, name, &Key::name);
    return found == keys.end() ? nullptr : *found;
}

std::string step_into(const std::string& path, const std::string& name) {
    const std::string step = label_complaint(name) ? to_shown(name) : name;
    return path.empty() ? step : path + "." + step;
}

} // namespace muster
