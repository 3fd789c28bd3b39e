// What the tests of the configuration have in common: layers of text, and tables of what is wrong.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "tests/catch.h"

namespace muster {

/// Each text is a layer; the files are called "1", "2" ...
inline LoadedConfig load(const std::vector<std::string>& texts) {
    std::vector<ConfigLayer> layers;
    for (const auto& text : texts) {
        layers.push_back({std::to_string(layers.size() + 1), text});
    }
    return load_config(layers);
}

inline std::vector<std::string> mistakes(const std::vector<std::string>& texts) {
    std::vector<std::string> found;
    for (const auto& mistake : load(texts).mistakes) {
        found.push_back(mistake.text());
    }
    return found;
}

inline Config valid(const std::vector<std::string>& texts) {
    const auto loaded = load(texts);
    for (const auto& mistake : loaded.mistakes) {
        FAIL(mistake.text());
    }
    return loaded.config;
}

inline std::string volume(const std::string& keys) {
    return R"({"ephemeral": {"volumes": {"scratch": {)" + keys + "}}}}";
}

inline std::string volume_called(const std::string& name) {
    return R"({"ephemeral": {"volumes": {"scratch": null, ")" + name +
           R"(": {"size": "1GiB", "mount": "/mnt/b"}}}})";
}

inline std::string sink(const std::string& keys) {
    return R"({"report": {"to": {"s": {)" + keys + "}}}}";
}

inline std::string webhook(const std::string& keys) {
    return sink(R"("type": "webhook", "url": "https://h.example/r", )" + keys);
}

inline std::string ebs(const std::string& keys) {
    return R"({"ebs": {"data": {)" + keys + "}}}";
}

inline std::string check(const std::string& keys) {
    return R"({"checks": {"a": {)" + keys + "}}}";
}

const std::string kCommand = "expected a list of texts, an absolute path first, such as "
                             R"(["/usr/local/sbin/app", "--check-config"])";
const std::string kDuration = R"(a duration such as "100s", "5m" or "250ms", between 1s and 48h)";
const std::string kPath = R"(an absolute path without ".", "..", "//" or a "/" at its end)";
const std::string kFolder =
    "a folder that the system and muster itself can do without, such as /mnt/scratch";
const std::string kMoments = ", expected a list of up to 200 durations between 1ms and 48h, each "
                             "longer than the one before, such as [\"9s\", \"9500ms\", \"12s\"]";
const std::string kLvmName = " that LVM takes: letters, digits and + _ . - (not first), up to 127 "
                             "of them";
const std::string kExpect = R"("any", "none", a whole number up to 128, {"min": 2} or )"
                            R"({"by_type": {"i4i.large": 1}, "default": "any"})";
const std::string kValue =
    "a value: an object, a list, a text in double quotes, a number, true, false or null";

struct Wrong {
    std::string text;
    std::string message; ///< after the name of the file
};

inline void check_each(const std::vector<Wrong>& table) {
    for (const auto& [text, message] : table) {
        CAPTURE(text);
        CHECK(mistakes({text}) == std::vector<std::string>{"1: " + message});
        CHECK_FALSE(load({text}).valid());
    }
}

} // namespace muster
