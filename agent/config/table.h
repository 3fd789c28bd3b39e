// The table of keys, to look things up in.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/keys.h"

namespace muster {

class KeyTable {
  public:
    KeyTable();
    KeyTable(const KeyTable&) = delete; // below_ points into keys_
    KeyTable& operator=(const KeyTable&) = delete;

    [[nodiscard]] const Key& root() const { return keys_.front(); }
    /// The keys right beneath one, in the order of the table.
    [[nodiscard]] const std::vector<const Key*>& below(const Key& parent) const;
    /// The key that `name` has beneath `parent`; none: unknown.
    [[nodiscard]] const Key* find(const Key& parent, std::string_view name) const;

  private:
    std::vector<Key> keys_;
    std::map<std::string, std::vector<const Key*>, std::less<>> below_;
};

/// "ebs" and "data" make "ebs.data"; a name with anything but letters, digits, _ and - is quoted.
[[nodiscard]] std::string step_into(const std::string& path, const std::string& name);

} // namespace muster
