#include "probes/xen_device.h"
#include "tests/catch.h"

using namespace muster::probes;

TEST_CASE("xen: the letters of a disk's number in Xen's store") {
    const struct {
        const char* node;
        const char* letters;
    } rows[] = {
        {"device/vbd/51712", "a"},      {"device/vbd/51728", "b"},
        {"device/vbd/51952", "p"},      {"device/vbd/51713", "a1"},
        {"device/vbd/2048", "a"},       {"device/vbd/2049", "a1"},
        {"device/vbd/2064", "b"},       {"device/vbd/2288", "p"},
        {"device/vbd/16640", "q"},      {"device/vbd/268439552", "q"},
        {"device/vbd/268441856", "z"},  {"device/vbd/268442112", "aa"},
        {"device/vbd/268448768", "ba"}, {"device/vbd/268442113", "aa1"},
    };
    for (const auto& [node, letters] : rows) {
        CAPTURE(node);
        CHECK(xen_letters(node) == letters);
    }
    for (const char* other :
         {"", "device/vbd/", "device/vbd/x", "device/vbd/-1", "device/vbd/51728 ", "device/vbd/768",
          "device/vif/0", "51728", "device/vbd/99999999999", "device/vbd/536870912",
          "device/vbd/3000000"}) {
        CAPTURE(other);
        CHECK(xen_letters(other).empty());
    }
}
