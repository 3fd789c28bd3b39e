#include <fstream>
#include <sstream>

#include "probes/instance_types.h"
#include "tests/catch.h"

using namespace muster::probes;

TEST_CASE("instance types: what the program knows is what stands in the file") {
    std::ifstream file(MUSTER_SOURCE_DIR "/probes/instance_store.tsv");
    std::string line;
    unsigned types = 0;
    while (std::getline(file, line)) {
        if (line.starts_with('#')) continue;
        CAPTURE(line);
        std::istringstream fields(line);
        std::string type;
        std::string sizes;
        std::string nvme;
        unsigned count = 0;
        REQUIRE(fields >> type >> count >> sizes >> nvme);
        const auto store = instance_store_of(type);
        REQUIRE(store);
        CHECK(store->count == count);
        CHECK(store->nvme == (nvme == "required"));
        const auto size = std::stoull(sizes.substr(sizes.find('x') + 1));
        CHECK(store->most_bytes > size << 30);
        CHECK(store->most_bytes < (size << 30) + (size << 25));
        CHECK(instance_store_count(type) == count);
        CHECK_FALSE(instance_store_of(type + "x"));
        CHECK_FALSE(instance_store_of(type.substr(0, type.size() - 1) + "?"));
        ++types;
    }
    CHECK(types == 572);
    for (const char* none :
         {"", "m3", "m4.large", "M3.LARGE", "m3.large ", "zz.large", "a1.large"}) {
        CAPTURE(none);
        CHECK_FALSE(instance_store_count(none));
    }
}
