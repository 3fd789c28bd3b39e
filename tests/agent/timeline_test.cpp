#include <algorithm>
#include <sstream>

#include "agent/timeline/bars.h"
#include "agent/timeline/timeline.h"
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
        REQUIRE(drawn.size() == 6); // with a heading and a legend
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
              .size() == 3);
}

namespace {

json stage(const char* name, double start, double end) {
    return {{"stage", name}, {"start", start}, {"end", end}};
}

/// A boot whose volume comes late, but not as late as the disks are joined.
json boot_report() {
    return {{"outcome", "ready"},
            {"time", "2026-11-21T12:00:00.345Z"},
            {"instance", {{"id", "i-1<&"}}},
            {"timings",
             {stage("root", 0.01, 0.02), stage("metadata", 0.01, 5.3), stage("ebs", 5.3, 9.0),
              stage("disks", 5.3, 5.6), stage("plan", 5.6, 6.1), stage("metadata again", 6.1, 6.2),
              stage("assembly", 6.2, 12), stage("volume group muster", 6.2, 8),
              stage("make xfs on scratch", 8.001, 12), stage("check web", 12.001, 13),
              stage("check db", 12.001, 12.5)}},
            {"waits",
             {{{"for", "metadata"}, {"seconds", 5.29}, {"polls", 24}, {"outcome", "found"}},
              {{"for", "ephemeral disks"}, {"seconds", 0.3}, {"polls", 4}, {"outcome", "found"}},
              {{"for", "ebs data"}, {"seconds", 3.0}, {"polls", 9}, {"outcome", "found"}},
              {{"for", "ebs logs"}, {"seconds", 1.0}, {"polls", 5}, {"outcome", "found"}}}},
            {"metadata", {{"requests", 24}, {"retries", 3}}}};
}

} // namespace

TEST_CASE("timeline: what the end had to wait for, and what was waited") {
    const auto bars = bars_of(boot_report());
    const auto of = [&](const std::string& name) {
        return *std::ranges::find(bars, name, &Bar::name);
    };
    for (const char* name : {"metadata", "disks", "plan", "metadata again", "assembly",
                             "volume group muster", "make xfs on scratch", "check web"}) {
        INFO(name);
        CHECK(of(name).critical);
    }
    for (const char* name : {"root", "ebs", "check db"}) {
        INFO(name);
        CHECK_FALSE(of(name).critical);
    }
    CHECK(of("metadata").note == "3 retries");
    CHECK(of("metadata").waited == 5.29);
    CHECK(of("ebs").waited == 3.0); // the longest of its volumes
    CHECK(of("ebs").note == "9 looks");
    CHECK(of("disks").note == "4 looks");

    SECTION("a volume that is the last to come is what was waited for") {
        auto late = boot_report();
        late["timings"][2]["end"] = 12.0005; // the checks begin after it
        late["timings"][8]["end"] = 11.9;
        late["timings"][6]["end"] = 11.9;
        const auto other = bars_of(late);
        CHECK(other[2].critical);
        CHECK_FALSE(other[8].critical);
        CHECK_FALSE(other[6].critical);
    }
    SECTION("given up") {
        auto report = boot_report();
        report["waits"][2] = {
            {"for", "ebs data"}, {"seconds", 3.7}, {"polls", 40}, {"outcome", "gave up"}};
        CHECK(bars_of(report)[2].note == "40 looks, gave up");
    }
    SECTION("as text") {
        const auto drawn = lines(draw_timeline(boot_report()));
        for (const auto& line : drawn) {
            INFO(line);
            CHECK(line.size() <= 80);
        }
        CHECK(drawn[1].starts_with("  root"));
        CHECK(drawn[2].starts_with("* metadata (3 retries)"));
        CHECK(bar(drawn[2]).find('.') == 1);
        CHECK(bar(drawn[2]).find('#') == std::string::npos); // nothing but waiting
        CHECK(drawn[3].starts_with("  ebs (9 looks)"));
        CHECK(bar(drawn[3]).find(".#") != std::string::npos);
    }
    SECTION("as a picture") {
        const auto picture = timeline_picture(boot_report());
        CHECK(picture.starts_with("<svg "));
        CHECK(picture.ends_with("</svg>\n"));
        CHECK(picture.find("i-1&lt;&amp;: ready") != std::string::npos);
        CHECK(picture.find("5.29 s, 3 retries") != std::string::npos);
        CHECK(picture.find("critical-wait") != std::string::npos);
    }
}

TEST_CASE("timeline: whatever calls itself a report can be drawn") {
    for (const auto& report :
         {json(7), json::array(), json{{"timings", 3}}, json{{"timings", {1, "x", nullptr}}},
          json{{"timings", {{{"start", -5}, {"end", 1e300}}, {{"stage", 3}, {"start", "x"}}}},
               {"waits", {3, {{"for", "-"}, {"seconds", 1e300}, {"polls", -1}}}},
               {"metadata", {{"retries", "many"}}}},
          json{{"timings", {stage("backwards", 5, 1)}}, {"instance", 5}}}) {
        INFO(report);
        for (const auto& bar : bars_of(report))
            CHECK(bar.end >= bar.start);
        for (const auto& line : lines(draw_timeline(report)))
            CHECK(line.size() <= 90);
        CHECK(timeline_picture(report).ends_with("</svg>\n"));
    }
    json many = {{"timings", json::array()}};
    for (int i = 0; i < 5000; ++i)
        many["timings"].push_back(stage("x", i, i + 1));
    CHECK(bars_of(many).size() == 500);
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
