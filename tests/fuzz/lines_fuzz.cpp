// The values that are one word, and the signatures of the identity document.
#include "probes/instance_values.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::probes;
using fuzz::must;

void try_line(std::string_view text) {
    const auto line = parse_line(text);
    if (!line) return fuzz::must_be_presentable(line.error());
    must(!line->empty() && line->size() <= 255, "a line has 1 to 255 characters");
    must(fuzz::is_printable(*line) && line->find(' ') == line->npos, "a line is one word");
    fuzz::must_reparse(parse_line, *line, *line);
    fuzz::must_reparse(parse_line, *line + "\r\n", *line);
}

/// As the service sends it: lines of 76 characters.
std::string in_lines(const std::string& base64) {
    std::string lines;
    for (std::size_t at = 0; at < base64.size(); at += 76) {
        lines += base64.substr(at, 76) + "\n";
    }
    return lines;
}

void try_signature(std::string_view text) {
    const auto base64 = parse_signature(text);
    if (!base64) return fuzz::must_be_presentable(base64.error());
    must(!base64->empty() && base64->size() % 4 == 0, "base64 comes in fours");
    must(base64->find_first_of(" -\r\n\t") == base64->npos, "no armour, no line ends");
    const auto padding = base64->find('=');
    must(padding == base64->npos || base64->size() - padding <= 2, "one or two = at the end");
    fuzz::must_reparse(parse_signature, *base64, *base64);
    fuzz::must_reparse(parse_signature, in_lines(*base64), *base64);
}

void try_out(std::string_view text) {
    try_line(text);
    try_signature(text);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
