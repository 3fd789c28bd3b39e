// The listing of tags/instance and the value of a tag, which the instance's owner chose.
#include "probes/instance_values.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::probes;
using fuzz::must;

void try_keys(std::string_view text) {
    const auto keys = parse_tag_keys(text);
    if (!keys) return fuzz::must_be_presentable(keys.error());
    must(!keys->empty() && keys->size() <= 200, "1 to 200 keys");
    must(std::ranges::is_sorted(*keys), "keys are sorted");
    must(std::ranges::adjacent_find(*keys) == keys->end(), "each key once");
    std::string listing;
    for (const auto& key : *keys) {
        // It becomes the last step of the path that its value is asked for with.
        must(key.find_first_of("/%?# \r\n") == key.npos, "a key is one step of a path");
        must(key != "." && key != "..", "a key leads nowhere else");
        must(key.size() <= 128 && fuzz::is_printable(key), "a key is short and printable");
        listing += key + "\r\n";
    }
    fuzz::must_reparse(parse_tag_keys, listing, *keys);
}

void try_value(std::string_view text) {
    const auto value = parse_tag_value(text);
    if (!value) return fuzz::must_be_presentable(value.error());
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    must(std::ranges::count_if(*value, begins) <= 256, "256 characters at most");
    must(std::ranges::none_of(*value, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }),
         "a value has no control characters");
    for (const char* control : {"\xc2\x80", "\xc2\x85", "\xc2\x9b", "\xc2\x9f"})
        must(value->find(control) == value->npos, "nor those beyond ASCII");
    fuzz::must_reparse(parse_tag_value, *value, *value);
    fuzz::must_reparse(parse_tag_value, " " + *value + "\r\n", *value);
}

void try_out(std::string_view text) {
    try_keys(text);
    try_value(text);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
