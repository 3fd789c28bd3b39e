#include <algorithm>

#include "probes/instance_values.h"
#include "tests/probes/fake_metadata.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

constexpr const char* good_credentials =
    R"({"Code": "Success", "LastUpdated": "2026-11-21T20:00:00Z", "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "s3cret/key", "Token": "t0ken==",
        "Expiration": "2026-11-22T02:00:00Z"})";

/// Everything is there.
void fill(FakeMetadata& fake) {
    const std::string meta = "meta-data/";
    const std::string dynamic = "dynamic/instance-identity/";
    const std::pair<std::string, std::string> values[] = {
        {meta + "instance-id", "i-0abc"},
        {meta + "instance-type", "m3.large"},
        {meta + "ami-id", "ami-1\n"},
        {meta + "placement/region", "eu-west-1"},
        {meta + "placement/availability-zone", "eu-west-1a"},
        {meta + "placement/availability-zone-id", "euw1-az1"},
        {meta + "instance-life-cycle", "spot"},
        {meta + "services/domain", "amazonaws.com"},
        {meta + "services/partition", "aws"},
        {meta + "tags/instance/", "Name\nteam"},
        {meta + "tags/instance/Name", "worker ü"},
        {meta + "tags/instance/team", ""},
        {meta + "autoscaling/target-lifecycle-state", "Warmed:Running"},
        {meta + "iam/security-credentials/", "worker-role"},
        {meta + "iam/security-credentials/worker-role", good_credentials},
        {meta + "spot/instance-action",
         R"({"action": "terminate", "time": "2026-11-21T20:02:00Z"})"},
        {meta + "events/recommendations/rebalance", R"({"noticeTime": "2026-11-21T20:00:30Z"})"},
        {meta + "events/maintenance/scheduled",
         R"([{"NotBefore": "21 Jan 2027 09:00:43 GMT", "Code": "system-reboot", "Description":
             "scheduled reboot", "EventId": "instance-event-0d59", "NotAfter":
             "21 Jan 2027 09:17:23 GMT", "State": "active"}])"},
        {"user-data", "#!/bin/bash -e\nexport PASSWORD=hunter2\n"},
        {dynamic + "signature", "AAAA\nBBB=\n"},
        {dynamic + "pkcs7", "AAAA"},
        {dynamic + "rsa2048", "BBBB"},
    };
    for (const auto& [path, value] : values)
        fake.tree[path] = value;
}

std::vector<InstanceValue> read(FakeMetadata& fake, Duration deadline = 22s) {
    return read_instance_values(fake.service, fake.clock, {}, Deadline::in(fake.clock, deadline), 1,
                                [](std::string_view, Instant) {});
}

const Answer<Json>& answer(const std::vector<InstanceValue>& values, std::string_view name) {
    const auto found = std::ranges::find(values, name, &InstanceValue::name);
    REQUIRE(found != values.end());
    return found->answer;
}

Json value(const std::vector<InstanceValue>& values, std::string_view name) {
    const auto& found = answer(values, name);
    REQUIRE(found.get() != nullptr);
    return *found.get();
}

} // namespace

TEST_CASE("instance values: all of them, side by side, and no secret among them") {
    FakeMetadata fake;
    fill(fake);
    const auto values = read(fake);
    CHECK(value(values, "instance-id") == "i-0abc");
    CHECK(value(values, "ami-id") == "ami-1");
    CHECK(value(values, "placement/availability-zone-id") == "euw1-az1");
    CHECK(value(values, "instance-life-cycle") == "spot");
    CHECK(value(values, "services/partition") == "aws");
    CHECK(value(values, "tags/instance") == Json{{"Name", "worker ü"}, {"team", ""}});
    CHECK(value(values, "autoscaling/target-lifecycle-state") == "Warmed:Running");
    CHECK(value(values, "iam/security-credentials")["role"] == "worker-role");
    CHECK(value(values, "spot/instance-action")["action"] == "terminate");
    CHECK(value(values, "events/recommendations/rebalance") == "2026-11-21T20:00:30Z");
    CHECK(value(values, "events/maintenance/scheduled")[0]["code"] == "system-reboot");
    CHECK(value(values, "user-data") == Json{{"bytes", 39}, {"kind", "#!/bin/bash"}});
    CHECK(value(values, "instance-identity/signature") == "(8 characters, not shown)");
    Json everything;
    for (const auto& [name, rule, found] : values) {
        everything.push_back(value(values, name));
        CHECK(found.readings == (rule == Rule::fixed ? 3U : 1U));
    }
    CHECK(values.size() == 19);
    // Nineteen values cost about the time of one, which takes three readings.
    CHECK(fake.clock.elapsed() < 700ms);
    for (const char* secret : {"hunter2", "s3cret", "t0ken", "ASIA", "AAAA", "BBB"})
        CHECK(everything.dump().find(secret) == std::string::npos);
}

TEST_CASE("instance values: what isn't there is absent, and that takes the span") {
    FakeMetadata fake;
    fill(fake);
    const char* gone[] = {"meta-data/autoscaling/target-lifecycle-state",
                          "meta-data/tags/instance/", "meta-data/iam/security-credentials/",
                          "meta-data/spot/instance-action", "user-data"};
    for (const char* path : gone)
        fake.tree.erase(path);
    SECTION("as 404") {}
    SECTION("as an empty listing") {
        fake.tree["meta-data/tags/instance/"] = "";
        fake.tree["meta-data/iam/security-credentials/"] = "\n";
        fake.tree["user-data"] = "";
    }
    const auto values = read(fake);
    for (const char* name : {"autoscaling/target-lifecycle-state", "tags/instance",
                             "iam/security-credentials", "spot/instance-action", "user-data"}) {
        CAPTURE(name);
        const auto& found = answer(values, name);
        REQUIRE(found.value);
        CHECK(found.get() == nullptr);
        CHECK(found.readings == 7); // three quick ones, then looked for until the span is over
    }
    CHECK(value(values, "instance-id") == "i-0abc");
    CHECK(fake.clock.elapsed() >= 5s);
    CHECK(fake.clock.elapsed() < 6s);
}

TEST_CASE("instance values: credentials that were 404 for two seconds") {
    FakeMetadata fake;
    fill(fake);
    fake.rule = [&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == "meta-data/iam/security-credentials/" && fake.clock.elapsed() < 2s)
            return FakeMetadata::status(404);
        return std::nullopt;
    };
    CHECK(value(read(fake), "iam/security-credentials")["role"] == "worker-role");
    CHECK(fake.clock.elapsed() < 4s);
}

TEST_CASE("instance values: a fixed one that changes must last, of a live one the newest counts") {
    FakeMetadata fake;
    fill(fake);
    int types = 0;
    int states = 0;
    fake.rule = [&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == "meta-data/instance-type" && types++ == 0)
            return FakeMetadata::status(200, "m1.small");
        if (path == "meta-data/autoscaling/target-lifecycle-state" && states++ == 0)
            return FakeMetadata::status(200, "InService");
        return std::nullopt;
    };
    const auto values = read(fake);
    CHECK(value(values, "instance-type") == "m3.large");
    CHECK(answer(values, "instance-type").last >= 5);
    CHECK(answer(values, "instance-type").seen.size() == 2);
    CHECK(value(values, "autoscaling/target-lifecycle-state") == "InService");
}

TEST_CASE("instance values: what can't be understood is unknown in time, never absent") {
    FakeMetadata fake;
    fill(fake);
    fake.tree["meta-data/services/domain"] = "<html>please sign in</html>";
    fake.tree["meta-data/spot/instance-action"] = "{}";
    fake.tree["meta-data/tags/instance/team"] = "\xff\xfe";
    const auto values = read(fake, 10s);
    for (const char* name : {"services/domain", "spot/instance-action", "tags/instance"}) {
        CAPTURE(name);
        REQUIRE_FALSE(answer(values, name).value);
        CHECK(answer(values, name).value.error().code == Errc::malformed);
    }
    CHECK(value(values, "services/partition") == "aws");
    CHECK(fake.clock.elapsed() <= 10s);
}

TEST_CASE("instance values: lines") {
    CHECK(parse_line("spot") == "spot");
    CHECK(parse_line("spot\r\n") == "spot");
    for (const char* bad : {"", " ", "two words", "two\nlines", "<html>", "\x01", "s\xc3\xbc"}) {
        CAPTURE(bad);
        REQUIRE_FALSE(parse_line(bad));
        CHECK(parse_line(bad).error().code == Errc::malformed);
    }
    CHECK(parse_line(std::string(255, 'x')));
    CHECK_FALSE(parse_line(std::string(256, 'x')));
}

TEST_CASE("instance values: tags") {
    using Keys = std::vector<std::string>;
    CHECK(parse_tag_keys("b\na\nb") == Keys{"a", "b"});
    CHECK(parse_tag_keys("aws:autoscaling:groupName\r\nName\r\n") ==
          Keys{"Name", "aws:autoscaling:groupName"});
    CHECK(parse_tag_keys(" \n").error().code == Errc::empty);
    for (const char* bad : {"a/b", "a b", "<html>", "..", ".", "a?b", "a%2fb", "k\xc3\xa4se"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_tag_keys(bad));
    }
    CHECK_FALSE(parse_tag_keys(std::string(129, 'k')));
    std::string many;
    for (int i = 0; i <= 200; ++i)
        many += "k" + std::to_string(i) + "\n";
    CHECK_FALSE(parse_tag_keys(many));

    CHECK(parse_tag_value("a value\n") == "a value");
    CHECK(parse_tag_value("") == "");
    CHECK(parse_tag_value("\xc3\xbc") == "\xc3\xbc");
    CHECK_FALSE(parse_tag_value("\xc3"));
    CHECK_FALSE(parse_tag_value("two\nlines"));
    CHECK_FALSE(parse_tag_value(std::string(1025, 'v')));
}

TEST_CASE("instance values: credentials are never quoted") {
    const auto credentials = parse_credentials(good_credentials);
    REQUIRE(credentials);
    CHECK(credentials->access_key_id == "ASIAEXAMPLE");
    CHECK(credentials->secret_access_key == "s3cret/key");
    CHECK(credentials->token == "t0ken==");
    CHECK(credentials->expiration == "2026-11-22T02:00:00Z");
    for (const char* bad :
         {"s3cret", R"(["s3cret"])", R"({"Code": "Success", "SecretAccessKey": "s3cret"})",
          R"({"Code": "Success", "AccessKeyId": "a", "SecretAccessKey": "s3cret\r\nX: y",
              "Token": "t", "Expiration": "e"})",
          R"({"Code": "Success", "AccessKeyId": "a", "SecretAccessKey": 7, "Token": "s3cret",
              "Expiration": "e"})"}) {
        CAPTURE(bad);
        const auto parsed = parse_credentials(bad);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::malformed);
        CHECK(parsed.error().message.find("s3cret") == std::string::npos);
    }
    const auto refused = parse_credentials(R"({"Code": "AssumeRoleUnauthorizedAccess"})");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::denied);
    CHECK_THAT(refused.error().message, Catch::Contains("AssumeRoleUnauthorizedAccess"));
}

TEST_CASE("instance values: notices and events") {
    CHECK(parse_maintenance("[]")->empty());
    CHECK_FALSE(parse_maintenance("{}"));
    CHECK_FALSE(parse_maintenance("[1]"));
    CHECK_FALSE(parse_maintenance(R"([{"State": "active"}])"));
    CHECK_FALSE(parse_spot_action(R"({"action": "stop"})"));
    CHECK_FALSE(parse_spot_action(R"({"action": 1, "time": "t"})"));
    CHECK_FALSE(parse_rebalance("[]"));
}

TEST_CASE("instance values: signatures are base64") {
    CHECK(parse_signature("AAAA\r\nBB==\r\n") == "AAAABB==");
    for (const char* bad : {"", "A", "AAA", "A===", "====", "AA=A", "-----BEGIN PKCS7-----"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_signature(bad));
    }
}

TEST_CASE("instance values: user data by its kind only") {
    using namespace std::string_view_literals;
    CHECK(kind_of_user_data("#cloud-config\npassword: x") == "#cloud-config");
    CHECK(kind_of_user_data("#!/bin/sh -e --token=x") == "#!/bin/sh");
    CHECK(kind_of_user_data("\x1f\x8b\x08") == "gzip");
    CHECK(kind_of_user_data("Content-Type: multipart/mixed; x") == "MIME");
    CHECK(kind_of_user_data("{\"a\": 1}") == "text");
    CHECK(kind_of_user_data("\xff\xfe") == "binary");
    CHECK(kind_of_user_data("a\0b"sv) == "binary");
    CHECK(kind_of_user_data("#" + std::string(50, 'x')) == "text");
}
