// What AWS, or whoever sits between, answers in place of what was asked for: XML, JSON, anything.
#include "agent/aws/answer.h"
#include "agent/aws/xml.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::aws;
using fuzz::must;

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '<') {
            result += "&lt;";
        } else if (c == '&') {
            result += "&#38;";
        } else {
            result += c;
        }
    }
    return result;
}

void try_out(std::string_view text) {
    const auto error = parse_service_error(text);
    if (!error) return;
    must(!error->code.empty() && error->code.size() <= 100, "a code is short");
    must(error->message.size() <= 500, "a message is short");
    must(fuzz::is_printable(error->code) && fuzz::is_printable(error->message),
         "nothing of it acts on a terminal or begins a new line");
    for (const int status : {200, 400, 403, 429, 500}) {
        const auto meaning = meaning_of(status, *error);
        must(status != 500 || meaning != Meaning::wrong, "a server's own fault may pass");
    }
    // A message may have been cut before a space.
    const auto xml = "<ErrorResponse><Error><Code>" + escaped(error->code) + "</Code><Message>" +
                     escaped(error->message) + "</Message></Error></ErrorResponse>";
    const auto again = parse_service_error(xml);
    must(again && again->code.size() <= error->code.size() && error->code.starts_with(again->code),
         "an error written down and read again is the same error");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
