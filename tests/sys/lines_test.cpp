#include <filesystem>
#include <fstream>
#include <unistd.h>
#include <vector>

#include "agent/sys/lines.h"
#include "tests/catch.h"

using namespace muster;

namespace {

struct Kept {
    std::size_t number;
    std::string text;
    bool whole;
    friend bool operator==(const Kept&, const Kept&) = default;
};

std::vector<Kept> lines_of(const std::string& content, std::size_t most) {
    const auto path =
        std::filesystem::temp_directory_path() / ("muster-lines-" + std::to_string(::getpid()));
    std::ofstream(path, std::ios::binary) << content;
    std::vector<Kept> kept;
    const auto read = each_line(path.string(), most, [&](const Line& line) {
        kept.push_back({line.number, std::string(line.text), line.whole});
    });
    std::filesystem::remove(path);
    REQUIRE(read);
    return kept;
}

} // namespace

TEST_CASE("lines: each with its number, the last one without an end, too") {
    CHECK(lines_of("", 10).empty());
    CHECK(lines_of("a\n\nbc", 10) ==
          std::vector<Kept>{{1, "a", true}, {2, "", true}, {3, "bc", true}});
    CHECK(lines_of("a\n", 10) == std::vector<Kept>{{1, "a", true}});
    CHECK(lines_of(std::string("\0\xff\n", 3), 10) ==
          std::vector<Kept>{{1, std::string("\0\xff", 2), true}});
}

TEST_CASE("lines: one that is too long is told by its beginning, and the next is whole again") {
    CHECK(lines_of("12345\n123456\n12345678901\n1\n", 5) ==
          std::vector<Kept>{
              {1, "12345", true}, {2, "12345", false}, {3, "12345", false}, {4, "1", true}});
    // Over more than one block of what is read.
    const auto kept = lines_of(std::string(200'000, 'x') + "\ny\n", 100'000);
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].text.size() == 100'000);
    CHECK_FALSE(kept[0].whole);
    CHECK(kept[1] == Kept{2, "y", true});
}

TEST_CASE("lines: a file that can't be read") {
    const auto read = each_line("/no/such/file", 10, [](const Line&) { FAIL("there is none"); });
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::absent);
    CHECK(read.error().message.find("/no/such/file") != std::string::npos);
    CHECK_FALSE(each_line("/", 10, [](const Line&) { FAIL("a folder has none"); }));
}
