// User data, which may be anything and may hold secrets: its kind is shown, never its content.
#include <string>

#include "probes/instance_values.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace muster;
using fuzz::must;

/// What is the same for everybody who uses it.
constexpr std::string_view words[] = {"gzip",
                                      "MIME",
                                      "binary",
                                      "text",
                                      "#cloud-config",
                                      "#cloud-config-archive",
                                      "#cloud-config-jsonp",
                                      "#cloud-boothook",
                                      "#include",
                                      "#include-once",
                                      "#part-handler",
                                      "#upstart-job",
                                      "## template: jinja"};

bool is_interpreter(std::string_view kind) {
    return kind.starts_with("#!/") && kind.find(' ') == kind.npos;
}

void try_out(std::string_view data) {
    const auto kind = probes::kind_of_user_data(data);
    must(!kind.empty() && kind.size() <= 40, "a kind has 1 to 40 characters");
    must(fuzz::is_printable(kind), "a kind is printable");
    const bool is_known = std::ranges::find(words, kind) != std::end(words);
    must(is_known || is_interpreter(kind), "a kind is a known word or an interpreter");
}

} // namespace

MUSTER_FUZZ_TARGET(try_out)
