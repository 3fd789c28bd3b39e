// Against what lvm2 2.03.16 really printed (tests/fixtures/lvm).
#include <nlohmann/json.hpp>

#include "lvm/report.h"
#include "tests/lvm/fixture.h"

using namespace muster;
using namespace muster::lvm;
using Json = nlohmann::json;

namespace {

/// The fixtures of all fields were taken with `-o seg_all`, which names a segment's volume by its
/// uuid alone; we ask for the name, too.
std::string with_segment_names(const std::string& text) {
    auto json = Json::parse(text);
    for (auto& segment : json["report"][0]["seg"])
        segment["lv_name"] = json["report"][0]["lv"][0]["lv_name"];
    return json.dump();
}

Report parsed(const std::string& text) {
    auto report = parse_report(text);
    if (!report) FAIL(report.error().message);
    return *report;
}

void check_malformed(const std::string& text, const std::string& says) {
    const auto report = parse_report(text);
    REQUIRE_FALSE(report);
    CHECK(report.error().code == Errc::malformed);
    CHECK_THAT(report.error().message, Catch::Contains(says));
}

} // namespace

TEST_CASE("lvm report: a whole group, with more fields than we ask for") {
    const auto report = parsed(with_segment_names(fixture("all-fields.json")));
    CHECK(report.orphans.empty());
    REQUIRE(report.groups.size() == 1);
    const auto& group = report.groups[0];
    CHECK(group.name == "muster");
    CHECK(group.uuid == "uoDPpE-aWWd-RD0s-hAGG-msrf-rxsD-rUe1nG");
    CHECK(group.tags == std::vector<std::string>{"muster", "muster.instance=i-0abc"});
    CHECK(group.has_tag("muster"));
    CHECK_FALSE(group.has_tag("muster.instance"));
    CHECK(group.extent_size == 4194304);
    CHECK(group.free_extents == 0);
    CHECK_FALSE(group.exported);
    CHECK_FALSE(group.partial());
    REQUIRE(group.physical.size() == 2);
    CHECK(group.physical[1].name == "/dev/loop1");
    CHECK(group.physical[1].major == 7);
    CHECK(group.physical[1].minor == 1);
    CHECK(group.physical[1].in_use);
    CHECK(group.physical[1].extents == 99);
    CHECK(group.physical[1].used_extents == 99);
    REQUIRE(group.logical.size() == 1);
    CHECK(group.logical[0].name == "scratch");
    CHECK(group.logical[0].size == 830472192);
    CHECK(group.logical[0].active);
    CHECK(group.logical[0].stripes == 2);
}

TEST_CASE("lvm report: a disk is missing") {
    const auto report = parsed(with_segment_names(fixture("partial.json")));
    REQUIRE(report.groups.size() == 1);
    const auto& physical = report.groups[0].physical;
    CHECK(report.groups[0].partial());
    REQUIRE(physical.size() == 2);
    CHECK_FALSE(physical[0].missing);
    CHECK(physical[1].missing);
    CHECK(physical[1].name == "[unknown]");
}

TEST_CASE("lvm report: the very fields we ask for: a group without volumes, and an orphan") {
    const auto report = parsed(fixture("empty-group-and-orphan.json"));
    REQUIRE(report.groups.size() == 1);
    CHECK(report.groups[0].logical.empty());
    CHECK(report.groups[0].free_extents == 49);
    REQUIRE(report.orphans.size() == 1);
    CHECK(report.orphans[0].minor == 1);
    CHECK_FALSE(report.orphans[0].in_use);
}

TEST_CASE("lvm report: stripes are those of the volume's segments") {
    auto json = Json::parse(fixture("empty-group-and-orphan.json"));
    auto& part = json["report"][0];
    for (const char* name : {"scratch", "logs"}) {
        part["lv"].push_back({{"lv_name", name},
                              {"lv_uuid", "u"},
                              {"lv_size", "1"},
                              {"lv_active", ""},
                              {"lv_tags", "a,b"}});
    }
    part["seg"] = {{{"lv_name", "scratch"}, {"stripes", "1"}},
                   {{"lv_name", "scratch"}, {"stripes", "4"}},
                   {{"lv_name", "logs"}, {"stripes", "2"}}};
    const auto report = parsed(json.dump());
    CHECK(report.groups[0].logical[0].stripes == 4);
    CHECK_FALSE(report.groups[0].logical[0].active);
    CHECK(report.groups[0].logical[0].tags == std::vector<std::string>{"a", "b"});
    CHECK(report.groups[0].logical[1].stripes == 2);
}

TEST_CASE("lvm report: every group and every field that we use must be there") {
    const auto whole = Json::parse(fixture("empty-group-and-orphan.json"));
    for (const char* kind : {"pv", "lv", "seg"}) {
        auto json = whole;
        json["report"][0].erase(kind);
        CAPTURE(kind);
        check_malformed(json.dump(), kind);
    }
    for (const char* field :
         {"vg_name", "vg_uuid", "vg_tags", "vg_extent_size", "vg_free_count", "vg_exported"}) {
        auto json = whole;
        json["report"][0]["vg"][0].erase(field);
        check_malformed(json.dump(), field);
    }
    for (const char* field : {"pv_name", "pv_uuid", "pv_major", "pv_minor", "pv_missing",
                              "pv_in_use", "pv_pe_count", "pv_pe_alloc_count"}) {
        for (const int part : {0, 1}) {
            auto json = whole;
            json["report"][static_cast<std::size_t>(part)]["pv"][0].erase(field);
            check_malformed(json.dump(), field);
        }
    }
    auto json = whole;
    json["report"][1].erase("pv");
    check_malformed(json.dump(), "pv");
    json = whole;
    json["report"][0]["pv"][0]["pv_minor"] = "one";
    check_malformed(json.dump(), "pv_minor");
    json = whole;
    json["report"][0]["pv"][0]["pv_minor"] = 1; // LVM prints strings
    check_malformed(json.dump(), "pv_minor");
    json = whole;
    json["report"][0]["vg"].push_back(json["report"][0]["vg"][0]);
    check_malformed(json.dump(), "two volume groups");
}

TEST_CASE("lvm report: cut short anywhere it is malformed, never less than there is") {
    auto text = fixture("empty-group-and-orphan.json");
    while (text.ends_with('\n') || text.ends_with(' '))
        text.pop_back();
    for (std::size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        REQUIRE_FALSE(parse_report(text.substr(0, size)));
    }
    for (const char* garbage :
         {"null", "[]", "{}", R"({"report": {}})", "\x01\xff", "  WARNING: x"})
        CHECK_FALSE(parse_report(garbage));
    CHECK(parsed(R"({"report": []})").groups.empty());
}
