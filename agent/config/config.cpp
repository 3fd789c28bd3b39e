#include "agent/config/config.h"

#include <algorithm>
#include <set>

#include "agent/config/check.h"
#include "agent/config/rules.h"
#include "agent/config/syntax.h"
#include "agent/config/values.h"

namespace muster {

namespace {

struct CheckedLayer {
    std::vector<Mistake> mistakes;
    bool readable = false;
    Json merged; ///< the layers up to this one, with the defaults
    Json bare;   ///< the same without
    Json own = Json::object();

    [[nodiscard]] bool is_wrong() const {
        return !std::ranges::all_of(mistakes, &Mistake::unknown_key);
    }
    /// There, above it or below it.
    [[nodiscard]] bool is_wrong_at(const std::string& key) const {
        return std::ranges::any_of(mistakes, [&](const Mistake& mistake) {
            return !mistake.unknown_key &&
                   (mistake.key == key || mistake.key.starts_with(key + ".") ||
                    key.starts_with(mistake.key + "."));
        });
    }
};

/// What was there before any layer, then each layer merged over those before it.
std::vector<CheckedLayer> check_layers(const KeyTable& table,
                                       const std::vector<ConfigLayer>& layers) {
    Json document = with_defaults(table, Json::object());
    std::vector<CheckedLayer> checked;
    checked.push_back({{}, true, document, document});
    for (const auto& layer : layers) {
        auto parsed = parse_config_text(layer.text);
        CheckedLayer result;
        for (auto& mistake : parsed.mistakes) {
            result.mistakes.push_back({layer.file, mistake.where, mistake.problem, false});
        }
        if (parsed.document) {
            result.readable = true;
            std::ranges::move(check_layer(table, layer.file, *parsed.document),
                              std::back_inserter(result.mistakes));
            document.merge_patch(*parsed.document);
            result.own = std::move(*parsed.document);
        }
        result.merged = with_defaults(table, document);
        result.bare = document;
        checked.push_back(std::move(result));
    }
    return checked;
}

bool breaks(const std::vector<BrokenRule>& broken, const std::string& key) {
    return std::ranges::find(broken, key, &BrokenRule::key) != broken.end();
}

/// A rule counts when all layers together break it: an image may leave to a later layer what is
/// needed to make it whole (the address of a sink, say). It is the mistake of the layer from which
/// on it stays broken.
void check_rules(const KeyTable& table, const std::vector<ConfigLayer>& layers,
                 std::vector<CheckedLayer>& checked) {
    if (!std::ranges::all_of(checked, &CheckedLayer::readable)) {
        return; // what seems to be missing may stand in the file that could not be read
    }
    std::set<std::string> known;
    std::vector<std::vector<BrokenRule>> broken;
    for (const auto& layer : checked) {
        for (const auto& mistake : layer.mistakes) {
            known.insert(mistake.key);
        }
        broken.push_back(broken_rules(table, layer.merged));
    }
    for (const auto& rule : broken.back()) {
        auto culprit = broken.size() - 1;
        while (culprit > 1 && breaks(broken[culprit - 1], rule.key)) {
            --culprit;
        }
        if (!known.contains(rule.key)) {
            checked[culprit].mistakes.push_back(
                {layers[culprit - 1].file, rule.key, rule.problem, false});
        }
    }
}

/// The layers before the first wrong one; fewer, where these break a rule among themselves that
/// only a later one would have mended.
const CheckedLayer& last_sound(const KeyTable& table, const std::vector<CheckedLayer>& checked) {
    const auto first_wrong = std::ranges::find_if(checked, &CheckedLayer::is_wrong);
    auto sound = std::prev(first_wrong);
    while (sound != checked.begin() && !broken_rules(table, sound->merged).empty()) {
        --sound;
    }
    return *sound;
}

/// What the first wrong layer may say all the same: whether disks are written, and who else is to
/// be told. Most machines have one file, and a mistake among its volumes must not take away the
/// sinks that are to hear of it. Those of the layers before it stay as they are.
std::vector<Json> sound_words(const CheckedLayer& wrong, const Json& before) {
    std::vector<Json> words;
    if (wrong.own.contains("mode") && !wrong.is_wrong_at("mode"))
        words.push_back({{"mode", wrong.own["mode"]}});
    const auto& known = member(member(before, "report"), "to");
    const auto& sinks = member(member(wrong.own, "report"), "to");
    if (!sinks.is_object()) return words;
    for (const auto& [name, sink] : sinks.items()) {
        if (sink.is_object() && !known.contains(name) && !wrong.is_wrong_at("report.to." + name))
            words.push_back({{"report", {{"to", {{name, sink}}}}}});
    }
    return words;
}

/// What can be gone by: all layers; or those before the first wrong one, and its sound words.
Json sound_part(const KeyTable& table, const std::vector<CheckedLayer>& checked) {
    const auto first_wrong = std::ranges::find_if(checked, &CheckedLayer::is_wrong);
    if (first_wrong == checked.end()) return checked.back().merged;
    const auto& before = last_sound(table, checked);
    Json part = before.bare;
    for (const auto& word : sound_words(*first_wrong, before.merged)) {
        Json with = part;
        with.merge_patch(word);
        if (broken_rules(table, with_defaults(table, with)).empty()) part = std::move(with);
    }
    return with_defaults(table, part);
}

/// Nobody knows what an unknown key under `ephemeral` was to say about the disks, and no more what
/// a misspelt `ephemeral` was to.
bool forbids_writes(const Mistake& mistake) {
    return mistake.unknown_key && (mistake.key.starts_with("ephemeral.") ||
                                   nearest_name(mistake.key, {"ephemeral"}) == "ephemeral");
}

constexpr std::string_view kMain = "/etc/muster/muster.json";
constexpr std::string_view kFolders[] = {"/etc/muster/conf.d", "/run/muster/conf.d"};

/// False where nothing after it is to be read.
bool append(const Files& files, const std::string& file, bool required, FoundLayers& found) {
    auto text = files.read(file);
    if (text) {
        found.layers.push_back({file, std::move(*text)});
    } else if (required || text.error().code != Errc::absent) {
        found.unread = file;
        found.error = text.error().with("configuration");
    }
    return !found.error;
}

bool append_folder(const Files& files, const std::string& folder, FoundLayers& found) {
    const auto names = files.list(folder);
    if (!names) {
        if (names.error().code == Errc::absent) {
            return true;
        }
        found.unread = folder;
        found.error = names.error().with("configuration");
        return false;
    }
    // Editors leave hidden files behind.
    return std::ranges::all_of(*names, [&](const std::string& name) {
        return !name.ends_with(".json") || name.starts_with('.') ||
               append(files, folder + "/" + name, false, found);
    });
}

FoundLayers named_layers(const Files& files, const std::vector<std::string>& names) {
    FoundLayers found;
    (void)std::ranges::all_of(names, [&](const std::string& name) {
        std::error_code error; // a folder that is gone leaves the name as it is, and unreadable
        const auto path = std::filesystem::absolute(name, error);
        return append(files, error ? name : path.string(), true, found);
    });
    return found;
}

} // namespace

std::string Mistake::text() const {
    return file + ": " + (key.empty() ? "" : key + ": ") + problem;
}

bool LoadedConfig::valid() const {
    return std::ranges::all_of(mistakes, &Mistake::unknown_key);
}

LoadedConfig load_config(const std::vector<ConfigLayer>& layers) {
    const KeyTable table;
    auto checked = check_layers(table, layers);
    check_rules(table, layers, checked);
    const auto sound = sound_part(table, checked);
    LoadedConfig result{to_config(sound), in_table_order(table, sound), {}};
    for (auto& layer : checked) {
        std::ranges::move(layer.mistakes, std::back_inserter(result.mistakes));
    }
    result.config.ephemeral.writes_allowed = std::ranges::none_of(result.mistakes, forbids_writes);
    return result;
}

FoundLayers read_config_layers(const Files& files, const std::vector<std::string>& explicit_files) {
    if (!explicit_files.empty()) {
        return named_layers(files, explicit_files);
    }
    FoundLayers found;
    if (append(files, std::string(kMain), false, found)) {
        (void)std::ranges::all_of(kFolders, [&](std::string_view folder) {
            return append_folder(files, std::string(folder), found);
        });
    }
    return found;
}

Result<std::vector<ConfigLayer>>
find_config_layers(const Files& files, const std::vector<std::string>& explicit_files) {
    auto found = read_config_layers(files, explicit_files);
    if (found.error) {
        return fail(std::move(*found.error));
    }
    return std::move(found.layers);
}

} // namespace muster
