#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include "agent/sys/isolated_write.h"
#include "tests/catch.h"
#include "tests/pace.h"

using namespace muster;
namespace fs = std::filesystem;

TEST_CASE("isolated write: a file for ourselves, a file for others, and no third") {
    std::string folder = "/tmp/muster-isolated.XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const auto clock = make_system_clock();
    const auto isolate = make_isolate(*clock);
    REQUIRE(isolate);
    const auto mode_of = [](const std::string& path) {
        struct stat status{};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
    };
    const auto deadline = Deadline::in(*clock, testing::patience);
    CHECK(write_isolated(**isolate, folder + "/ours", "text", deadline));
    CHECK(mode_of(folder + "/ours") == 0600U);
    for (const char* text : {"one\n", "another\n"}) {
        CHECK(publish_isolated(**isolate, folder + "/all.prom", text, deadline));
        CHECK(mode_of(folder + "/all.prom") == 0644U);
        std::ifstream file(folder + "/all.prom");
        CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
    }
    CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 2);
    fs::create_directories(folder + "/taken/x");
    const auto refused = publish_isolated(**isolate, folder + "/taken", "text", deadline);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Contains(folder + "/taken"));
    CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 3);
    fs::remove_all(folder);
}
