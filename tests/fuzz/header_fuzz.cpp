// A line of an HTTP answer's head, and Retry-After, the one value of which we make something.
#include "agent/sys/http_header.h"
#include "agent/sys/retry_after.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;
using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:00 GMT and a bit
constexpr WallTime wall{std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + 8h + 49min + 7ms};

void try_line(std::string_view text) {
    const auto header = parse_header_line(text);
    if (!header) return;
    const auto& [name, value] = *header;
    must(!name.empty() && name.find_first_of(": \t\r\n") == name.npos, "a name is one word");
    must(std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }),
         "a name is in lower case");
    fuzz::must_reparse(parse_header_line, name + ":" + value, *header);
    fuzz::must_reparse(parse_header_line, name + " : " + value + " \r\n", *header);
}

void try_retry_after(std::string_view value) {
    const Duration wait = parse_retry_after(value, wall);
    must(wait >= 0s && wait <= 10min, "a wait is of 0 to 10 minutes");
    must(parse_retry_after(value, wall + 1min) <= wait, "a date comes nearer");
    must(parse_retry_after(value, wall - 1min) >= wait, "a date was farther away");
    const bool is_short = !value.empty() && value.size() <= 9 &&
                          std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    if (is_short) {
        const auto seconds = std::strtol(std::string(value).c_str(), nullptr, 10);
        must(wait == std::min<Duration>(std::chrono::seconds(seconds), 10min),
             "digits are seconds");
    }
}

void try_out(std::string_view text) {
    try_line(text);
    try_retry_after(text);
    if (const auto header = parse_header_line(text)) try_retry_after(header->second);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
