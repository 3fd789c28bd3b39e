#include <algorithm>
#include <sstream>

#include "agent/timeline.h"
#include "tests/catch.h"

using namespace muster;
using nlohmann::json;

namespace {

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        all.push_back(line);
    return all;
}

std::string bar(const std::string& line) {
    const auto from = line.find('|');
    return line.substr(from, line.rfind('|') - from);
}

} // namespace

TEST_CASE("timeline: a bar for each stage, within the width") {
    const json report = {{"timings",
                          {{{"stage", "metadata"}, {"start", 0.0}, {"end", 5.0}},
                           {{"stage", "ebs"}, {"start", 5.0}, {"end", 10.0}},
                           {{"stage", "a name that is far too long to be shown as it is"},
                            {"start", 9.99},
                            {"end", 10.0}},
                           {{"stage", "open"}, {"start", 2.0}, {"end", nullptr}}}}};
    for (const unsigned width : {60U, 80U, 120U}) {
        const auto drawn = lines(draw_timeline(report, width));
        REQUIRE(drawn.size() == 5);
        for (const auto& line : drawn) {
            INFO(line);
            CHECK(line.size() <= width);
        }
        const auto first = bar(drawn[1]);
        const auto second = bar(drawn[2]);
        CHECK(std::abs(std::ranges::count(first, '#') - std::ranges::count(second, '#')) <= 1);
        CHECK(first[1] == '#');
        CHECK(second.back() == '#');
        CHECK(std::ranges::count(bar(drawn[3]), '#') == 1); // never none
        CHECK(drawn[4].find("open", 10) != std::string::npos);
        CHECK(bar(drawn[4]).back() == '#'); // to the end
        CHECK(drawn[1].find("5.00") != std::string::npos);
    }
}

TEST_CASE("timeline: nothing to draw") {
    CHECK(lines(draw_timeline(json::object())).size() <= 1); // a heading at most
    CHECK(lines(draw_timeline({{"timings", json::array()}})).size() <= 1);
    CHECK(lines(draw_timeline({{"timings", {{{"stage", "x"}, {"start", 0.0}, {"end", 0.0}}}}}))
              .size() == 2);
}

TEST_CASE("timeline: the outcome as text") {
    const json report = {
        {"outcome", "failed"},
        {"time", "2026-11-21T12:00:00.345Z"},
        {"recreate", true},
        {"reason", {{"code", "ebs-missing"}, {"message", "not there"}}},
        {"instance", {{"id", "i-1"}}},
        {"findings",
         {{{"check", "ebs"}, {"subject", "data"}, {"status", "fail"}, {"message", "not there"}}}},
        {"waits", {{{"for", "ebs data"}, {"seconds", 1.0}, {"polls", 7}, {"outcome", "gave up"}}}},
        {"metadata",
         {{"requests", 9},
          {"retries", 3},
          {"empty", 2},
          {"disagreements", 1},
          {"failures", {{"http 503", 2}}}}}};
    const auto text = describe_report(report);
    for (const char* part :
         {"i-1", "failed", "2026-11-21T12:00:00.345Z", "ebs-missing", "not there", "recreate: yes",
          "fail", "data", "ebs data", "gave up", "9 requests", "3 retries", "2 empty",
          "1 disagreements", "2 times http 503"}) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(describe_report(json::object()).find("-") != std::string::npos);
    CHECK(describe_report({{"instance", {{"id", nullptr}}}}).find("-") != std::string::npos);
}
