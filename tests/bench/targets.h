// What was to be reached and what was, for the table at the end of ./dev bench (targets.py).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <string_view>

namespace muster {

/// A line in the file that MUSTER_TARGETS names, if any does. Gives `met`.
inline bool note_target(std::string_view what, double found, double target, bool met) {
    const char* path = std::getenv("MUSTER_TARGETS");
    if (path == nullptr) return met;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "a"), &std::fclose);
    if (file) {
        fmt::print(file.get(), "{}\t{:.3f}\t{:.4g}\t{}\n", what, found, target,
                   met ? "met" : "missed");
    }
    return met;
}

} // namespace muster
