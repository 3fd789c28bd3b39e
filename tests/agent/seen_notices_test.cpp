#include "agent/watch/seen_notices.h"
#include "tests/catch.h"

using namespace muster;
using nlohmann::json;
using Notices = std::vector<probes::Notice>;

namespace {

probes::Notice event(const std::string& state) {
    return {"maintenance", {{"id", "e-1"}, {"state", state}}, "21 Jan 2027"};
}
probes::Notice lifecycle(const std::string& state) {
    return {"lifecycle", {{"state", state}}, ""};
}

} // namespace

TEST_CASE("seen notices: each once, by its content") {
    SeenNotices seen;
    CHECK(seen.add({}).empty());
    CHECK(seen.add({event("active")}) == Notices{event("active")});
    CHECK(seen.add({event("active")}).empty());
    CHECK(seen.add({}).empty());
    CHECK(seen.add({event("active")}).empty()); // it was gone for a moment
    CHECK(seen.add({event("active"), event("canceled")}) == Notices{event("canceled")});
}

TEST_CASE("seen notices: each change of the lifecycle, from InService on") {
    SeenNotices seen;
    CHECK(seen.add({lifecycle("InService")}).empty());
    CHECK(seen.add({lifecycle("Terminated")}).size() == 1);
    CHECK(seen.add({}).empty());
    CHECK(seen.add({lifecycle("Terminated")}).empty());
    CHECK(seen.add({lifecycle("InService")}).size() == 1);
    CHECK(SeenNotices().add({lifecycle("Warmed:Running")}).size() == 1);
}

TEST_CASE("seen notices: kept for the next process") {
    SeenNotices seen;
    CHECK(seen.add({event("active"), lifecycle("Detached")}).size() == 2);
    auto next = SeenNotices::from_json(json::parse(seen.to_json().dump()));
    CHECK(next.add({event("active"), lifecycle("Detached")}).empty());
    for (const char* text : {"null", "{}", "[]", R"({"told": 3, "lifecycle": ""})",
                             R"({"told": [3], "lifecycle": "InService"})"}) {
        auto fresh = SeenNotices::from_json(json::parse(text));
        CHECK(fresh.add({event("active"), lifecycle("InService")}).size() == 1);
    }
}

TEST_CASE("seen notices: years of them are bounded") {
    SeenNotices seen;
    for (int i = 0; i < 1000; ++i)
        CHECK(seen.add({event(std::to_string(i))}).size() == 1);
    CHECK(seen.to_json().at("told").size() == 200);
}
