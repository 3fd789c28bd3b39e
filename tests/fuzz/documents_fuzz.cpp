// The JSON documents among the instance's values: credentials, the notices of spot instances and of
// maintenance.
#include <string>

#include "probes/instance_values.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::probes;
using fuzz::must;

/// In JSON's escapes, so that any byte may stand in a document.
std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string safe;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        safe += R"(\u00)";
        safe += digits[byte >> 4];
        safe += digits[byte & 15];
    }
    return safe;
}

std::string credentials(std::string_view code, std::string_view secret) {
    const auto member = [](const char* name, std::string_view value) {
        return std::string(",\"") + name + "\":\"" + escaped(value) + '"';
    };
    return R"({"Code":")" + escaped(code) + '"' + member("AccessKeyId", secret) +
           member("SecretAccessKey", secret) + member("Token", secret) +
           member("Expiration", "2026-11-21T20:01:02Z") + "}";
}

bool is_header_text(std::string_view text) {
    return !text.empty() && fuzz::is_printable(text) && text.find(' ') == text.npos;
}

void try_credentials(std::string_view text) {
    const auto role = parse_credentials(text);
    if (!role) return fuzz::must_be_presentable(role.error());
    for (const auto& part :
         {role->access_key_id, role->secret_access_key, role->token, role->expiration}) {
        must(is_header_text(part), "credentials can stand in a header");
    }
}

/// What is said of credentials that can't be used is the same for every secret.
void try_secret(std::string_view code, std::string_view secret) {
    static const auto no_object = parse_credentials("").error();
    const auto text = credentials(code, secret);
    const auto role = parse_credentials(text);
    const auto other = parse_credentials(credentials(code, ""));
    must(!other, "no secret, no credentials");
    must(role.has_value() == (code == "Success" && is_header_text(secret)), "used where usable");
    must(role || role.error() == other.error(), "an error tells nothing of the secret");
    must(!role || (role->access_key_id == secret && role->secret_access_key == secret &&
                   role->token == secret),
         "the secret is what was given");
    const auto cut = parse_credentials(std::string_view(text).substr(0, text.size() - 1));
    must(!cut && cut.error() == no_object, "nor one of a document that is cut off");
}

void try_notices(std::string_view text) {
    const auto spot = parse_spot_action(text);
    if (!spot) fuzz::must_be_presentable(spot.error());
    must(!spot || (!spot->action.empty() && !spot->time.empty()), "an action has a time");

    const auto rebalance = parse_rebalance(text);
    if (!rebalance) fuzz::must_be_presentable(rebalance.error());
    must(!rebalance || !rebalance->empty(), "a notice has a time");

    const auto events = parse_maintenance(text);
    if (!events) return fuzz::must_be_presentable(events.error());
    must(events->size() <= 100, "100 events at most");
    for (const auto& event : *events) {
        must(!event.code.empty(), "an event has a code");
    }
}

void try_out(std::string_view text) {
    try_credentials(text);
    try_notices(text);
    // The code, then the secret, on lines of their own.
    constexpr std::size_t enough = 40;
    const auto line = std::min(text.find('\n'), text.size());
    const auto rest = text.substr(std::min(line + 1, text.size()));
    try_secret(text.substr(0, std::min(line, enough)), rest.substr(0, enough));
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
