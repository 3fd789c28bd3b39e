// The instance identity document, as anything that sits at that address may answer.
#include "probes/metadata.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::probes;
using fuzz::must;

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

void must_be_id(std::string_view id, std::string_view prefix) {
    must(id.starts_with(prefix) && id.size() > prefix.size(), "an id is more than its prefix");
    must(id.size() <= 64 && std::ranges::all_of(id, is_word), "an id is one word");
}

std::string document(const Identity& of) {
    return R"({"instanceId":")" + of.instance_id + R"(","instanceType":")" + of.instance_type +
           R"(","imageId":")" + of.image + R"(","accountId":")" + of.account + R"(","region":")" +
           of.region + R"(","availabilityZone":")" + of.zone + "\"}";
}

void try_out(std::string_view text) {
    const auto identity = parse_identity(text);
    if (!identity) return fuzz::must_be_presentable(identity.error());
    must_be_id(identity->instance_id, "i-");
    must_be_id(identity->image, "ami-");
    for (const auto& word :
         {identity->instance_type, identity->account, identity->region, identity->zone}) {
        must_be_id(word, "");
    }
    fuzz::must_reparse(parse_identity, document(*identity), *identity);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
