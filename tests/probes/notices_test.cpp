#include "probes/notices.h"
#include "tests/catch.h"
#include "tests/probes/fake_metadata.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string spot = "meta-data/spot/instance-action";
const std::string lifecycle = "meta-data/autoscaling/target-lifecycle-state";
const std::string rebalance = "meta-data/events/recommendations/rebalance";
const std::string maintenance = "meta-data/events/maintenance/scheduled";

NoticeLook look(FakeMetadata& metadata) {
    return read_notices(metadata.service, Deadline::in(metadata.clock, 10s));
}

} // namespace

TEST_CASE("notices: there are none, and that is no failure") {
    FakeMetadata metadata;
    const auto seen = look(metadata);
    CHECK(seen.notices.empty());
    CHECK_FALSE(seen.error);
    metadata.tree[maintenance] = "[]";
    CHECK(look(metadata).notices.empty());
}

TEST_CASE("notices: all that there are, as the service says") {
    FakeMetadata metadata;
    metadata.tree[spot] = R"({"action": "terminate", "time": "2026-11-21T21:02:00Z"})";
    metadata.tree[lifecycle] = "Terminated\n";
    metadata.tree[rebalance] = R"({"noticeTime": "2026-11-21T20:55:00Z"})";
    metadata.tree[maintenance] =
        R"([{"NotBefore": "22 Nov 2026 09:00:43 GMT", "Code": "system-reboot", "Description":
            "scheduled reboot", "EventId": "instance-event-0d59937288b749b32", "NotAfter":
            "22 Nov 2026 09:17:23 GMT", "State": "active"}])";
    const auto seen = look(metadata);
    CHECK_FALSE(seen.error);
    CHECK(seen.notices ==
          std::vector<Notice>{
              {"spot-interruption", {{"action", "terminate"}}, "2026-11-21T21:02:00Z"},
              {"lifecycle", {{"state", "Terminated"}}, ""},
              {"rebalance", json::object(), "2026-11-21T20:55:00Z"},
              {"maintenance",
               {{"id", "instance-event-0d59937288b749b32"},
                {"code", "system-reboot"},
                {"state", "active"},
                {"description", "scheduled reboot"},
                {"not_after", "22 Nov 2026 09:17:23 GMT"}},
               "22 Nov 2026 09:00:43 GMT"}});
}

TEST_CASE("notices: four requests a look, and a token each four and a half minutes") {
    FakeMetadata metadata;
    for (int i = 0; i < 120; ++i) { // an hour
        const auto requests = metadata.service.counters().requests;
        CHECK_FALSE(look(metadata).error);
        CHECK(metadata.service.counters().requests - requests <= 5);
        metadata.clock.advance(30s);
    }
    CHECK(metadata.asked("token") <= 14);
    CHECK(metadata.service.counters().requests <= 4 * 120 + 14);
}

TEST_CASE("notices: a service that fails is asked once, and what one value is hides no other") {
    FakeMetadata metadata([](const std::string&) { return FakeMetadata::status(503); });
    auto seen = look(metadata);
    REQUIRE(seen.error);
    CHECK(seen.notices.empty());
    CHECK(metadata.service.counters().requests == 1);

    metadata.rule = [](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == spot) return FakeMetadata::status(200, "<html>");
        if (path == rebalance) return FakeMetadata::status(200, "");
        return std::nullopt;
    };
    metadata.tree[lifecycle] = "InService";
    seen = look(metadata);
    CHECK(seen.error);
    REQUIRE(seen.notices.size() == 1);
    CHECK(seen.notices[0].kind == "lifecycle");
}

TEST_CASE("notices: what is long is cut, and what is many") {
    FakeMetadata metadata;
    json events = json::array();
    for (int i = 0; i < 60; ++i)
        events.push_back({{"Code", "system-reboot"}, {"Description", std::string(900, 'x')}});
    metadata.tree[maintenance] = events.dump();
    const auto seen = look(metadata);
    REQUIRE(seen.notices.size() == 20);
    CHECK(seen.notices[0].detail["description"].get<std::string>().size() == 500);
}
