#include "agent/config/check.h"

#include <algorithm>

namespace muster {

namespace {

constexpr std::size_t kMostEntries = 128; ///< under one map; also bounds the work

const std::string kAnObject = "an object: { ... }";

/// Slips of one character: one too many, missing, wrong, or swapped with its neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> least(a.size() + 1,
                                                std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                least[i][j] = i + j;
                continue;
            }
            const std::size_t changed = least[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            least[i][j] = std::min({changed, least[i - 1][j] + 1, least[i][j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                least[i][j] = std::min(least[i][j], least[i - 2][j - 2] + 1);
            }
        }
    }
    return least[a.size()][b.size()];
}

class Checker {
  public:
    Checker(const KeyTable& table, std::string file) : table_(table), file_(std::move(file)) {}

    void check(const Key& key, const std::string& path, const Json& value) {
        if (value.is_null()) {
            return; // takes away what an earlier layer said; right for every key
        }
        if (key.node == Key::Node::value) {
            check_value(key, path, value);
        } else if (!value.is_object()) {
            add(path, "found " + to_shown(value) + ", expected " +
                          (key.node == Key::Node::entry ? kAnObject : key.kind.expected));
        } else {
            check_members(key, path, value);
        }
    }

    std::vector<Mistake> mistakes() && { return std::move(mistakes_); }

  private:
    void check_value(const Key& key, const std::string& path, const Json& value) {
        Json merged; // without the nulls in it, as it will be once it is merged
        merged.merge_patch(value);
        if (const auto complaint = key.kind.check(merged)) {
            add(path, "found " + to_shown(value, key.kind.shown) + ", expected " + *complaint);
        }
    }

    void check_members(const Key& key, const std::string& path, const Json& object) {
        if (key.node == Key::Node::map && object.size() > kMostEntries) {
            add(path, "found " + std::to_string(object.size()) + " entries, expected at most " +
                          std::to_string(kMostEntries));
            return;
        }
        for (const auto& [name, value] : object.items()) {
            const auto member = step_into(path, name);
            const Key* known = table_.find(key, name);
            if (known == nullptr) {
                add_unknown(key, member, name);
                continue;
            }
            if (known->node == Key::Node::entry) {
                if (const auto complaint = known->kind.check(name)) {
                    add(member, "found the name " + to_shown(name) + ", expected " + *complaint);
                }
            }
            check(*known, member, value);
        }
    }

    void add(const std::string& path, std::string problem) {
        mistakes_.push_back({file_, path, std::move(problem), false});
    }

    void add_unknown(const Key& parent, const std::string& path, const std::string& name) {
        std::vector<std::string> known;
        std::string all;
        for (const Key* key : table_.below(parent)) {
            known.emplace_back(key->name());
            all += (all.empty() ? "" : ", ") + known.back();
        }
        const auto nearest = nearest_name(name, known);
        mistakes_.push_back({file_, path,
                             nearest.empty() ? "unknown key, expected one of " + all
                                             : "unknown key, did you mean \"" + nearest + "\"?",
                             true});
    }

    const KeyTable& table_;
    std::string file_;
    std::vector<Mistake> mistakes_;
};

} // namespace

std::vector<Mistake> check_layer(const KeyTable& table, const std::string& file,
                                 const Json& document) {
    Checker checker(table, file);
    checker.check(table.root(), "", document);
    return std::move(checker).mistakes();
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
    std::string nearest;
    std::size_t least = 3; // beyond two slips it is a guess
    for (const auto& candidate : known) {
        const auto longer = std::max(name.size(), candidate.size());
        const auto shorter = std::min(name.size(), candidate.size());
        if (longer - shorter > 2) {
            continue;
        }
        const auto distance = edit_distance(name, candidate);
        if (distance < least && (distance == 1 ? longer > 2 : longer > 4)) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

} // namespace muster
