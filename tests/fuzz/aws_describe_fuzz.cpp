// Answers of success: to the Describe calls of Auto Scaling (XML) and to PutEvents (JSON).
#include "agent/aws/answer.h"
#include "agent/aws/xml.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using namespace muster::aws;
using namespace std::chrono_literals;
using fuzz::must;

std::size_t count(const Element& element, std::size_t depth) {
    must(depth <= 20, "20 elements deep at most");
    must(!element.name.empty() && element.name.find_first_of("<>/ \n") == std::string::npos,
         "a name is one word");
    std::size_t elements = 1;
    for (const auto& child : element.children)
        elements += count(child, depth + 1);
    return elements;
}

void try_xml(std::string_view text) {
    const auto root = parse_xml(text);
    if (!root) return fuzz::must_be_presentable(root.error());
    must(count(*root, 1) <= 10000, "10,000 elements at most");
}

void try_answers(std::string_view text) {
    const auto member = parse_group_member(text, "i-1");
    if (!member) fuzz::must_be_presentable(member.error());
    if (member && *member)
        must(!(*member)->group.empty() && !(*member)->state.empty(), "a member stands somewhere");
    const auto hooks = parse_launch_hooks(text);
    if (!hooks) fuzz::must_be_presentable(hooks.error());
    for (const auto& hook : hooks.value_or(std::vector<LaunchHook>{})) {
        must(!hook.name.empty(), "a hook has a name");
        must(hook.timeout >= 0s && hook.timeout <= 48h, "a hook waits for 48 hours at most");
    }
    const auto put = parse_put_events(text);
    if (!put) fuzz::must_be_presentable(put.error());
}

void try_out(std::string_view text) {
    try_xml(text);
    try_answers(text);
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
