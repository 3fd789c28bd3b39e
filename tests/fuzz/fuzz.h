// What the fuzz targets have in common. A property that does not hold ends the program, as a
// sanitizer would; libFuzzer then keeps the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

#include "agent/sys/result.h"

namespace muster::fuzz {

inline void must(bool holds, const char* property,
                 std::source_location at = std::source_location::current()) {
    if (holds) return;
    std::fprintf(stderr, "%s:%u: does not hold: %s\n", at.file_name(), at.line(), property);
    std::abort();
}

inline bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

/// What was found is quoted in part, and nothing of it acts on a terminal or begins a new line.
inline void must_be_presentable(const Error& error) {
    must(!error.message.empty(), "an error says what is wrong");
    must(error.message.size() <= 250, "an error's message is short");
    must(is_printable(error.message), "an error's message is printable");
}

/// A value that is written down and read again is the same value.
template <class Parse, class Value>
void must_reparse(Parse parse, std::string_view text, const Value& value) {
    const auto again = parse(text);
    must(again.has_value() && *again == value, "a value read again is the same value");
}

} // namespace muster::fuzz

/// Each target defines `try_out`.
#define MUSTER_FUZZ_TARGET(try_out)                                                                \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {            \
        try_out(std::string_view(reinterpret_cast<const char*>(data), size));                      \
        return 0;                                                                                  \
    }
