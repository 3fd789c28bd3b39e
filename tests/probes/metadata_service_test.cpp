#include "tests/probes/fake_metadata.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

std::expected<std::string, ReadingError> ask(FakeMetadata& fake) {
    return fake.service.read(mapping_path + "root", Deadline::in(fake.clock, 60s));
}

} // namespace

TEST_CASE("metadata service: a token once, used again and renewed before its end") {
    FakeMetadata fake;
    CHECK(ask(fake) == "/dev/sda1");
    CHECK(ask(fake) == "/dev/sda1");
    CHECK(fake.asked("token") == 1);
    const auto& put = fake.http.requests.front();
    CHECK(put.headers == std::vector<HttpHeader>{{"X-aws-ec2-metadata-token-ttl-seconds", "300"}});
    CHECK(fake.http.requests.back().headers ==
          std::vector<HttpHeader>{{"X-aws-ec2-metadata-token", "token1"}});

    fake.clock.advance(269s);
    CHECK(ask(fake));
    CHECK(fake.asked("token") == 1);
    fake.clock.advance(1s); // 30 s before it would end
    CHECK(ask(fake));
    CHECK(fake.asked("token") == 2);
    CHECK(fake.service.counters().failures.empty());
}

TEST_CASE("metadata service: 401 renews the token, once a use") {
    int refuse = 2;
    FakeMetadata fake([&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path != "token" && refuse-- > 0) return FakeMetadata::status(401);
        return std::nullopt;
    });
    for (int i = 1; i <= 2; ++i) {
        const auto read = ask(fake);
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == Errc::unauthorized);
        CHECK(read.error().of_service);
        CHECK_FALSE(read.error().final);
        CHECK(fake.http.requests.size() == 2U * static_cast<unsigned>(i));
        CHECK(fake.asked("token") == static_cast<unsigned>(i));
    }
    CHECK(ask(fake));
    CHECK(fake.asked("token") == 3);
    CHECK(fake.service.counters().failures.at("http 401") == 2);
}

TEST_CASE("metadata service: each way of failing is told apart") {
    struct Row {
        const char* what;
        FakeMetadata::Answer answer;
        Errc code;
        bool of_service;
        const char* counted;
    };
    const auto table = {
        Row{"bad request", FakeMetadata::status(400), Errc::malformed, false, "http 400"},
        Row{"forbidden", FakeMetadata::status(403), Errc::denied, false, "http 403"},
        Row{"not there", FakeMetadata::status(404), Errc::absent, false, "http 404"},
        Row{"too many", FakeMetadata::status(429), Errc::throttled, true, "http 429"},
        Row{"error", FakeMetadata::status(500), Errc::transient, false, "http 500"},
        Row{"not now", FakeMetadata::status(503), Errc::throttled, true, "http 503"},
        Row{"redirect", FakeMetadata::status(302, "", {{"location", "http://x/"}}), Errc::malformed,
            false, "http 302"},
        Row{"refused", fail(Errc::refused, "x"), Errc::refused, true, "refused"},
        Row{"timeout", fail(Errc::timed_out, "x"), Errc::timed_out, true, "timed_out"},
        Row{"oversized", fail(Errc::too_large, "x"), Errc::too_large, true, "too_large"},
    };
    for (const auto& row : table) {
        CAPTURE(row.what);
        FakeMetadata fake([&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
            if (path == "token") return std::nullopt;
            return row.answer;
        });
        const auto read = ask(fake);
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == row.code);
        CHECK(read.error().of_service == row.of_service);
        CHECK_FALSE(read.error().final);
        CHECK(fake.service.counters().failures ==
              std::map<std::string, unsigned>{{row.counted, 1}});
        CHECK(fake.http.requests.size() == 2); // it never retries and follows nothing
    }
}

TEST_CASE("metadata service: an answer without content is an error") {
    for (const char* body : {"", "\n", " \r\n"}) {
        FakeMetadata fake;
        fake.tree[mapping_path + "root"] = body;
        const auto read = ask(fake);
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == Errc::empty);
        CHECK_FALSE(read.error().of_service);
        CHECK(fake.service.counters().empty == 1);
    }
}

TEST_CASE("metadata service: what answers the token request") {
    struct Row {
        int status;
        const char* body;
        Errc code;
        bool final;
    };
    for (const auto& row :
         {Row{403, "", Errc::denied, true}, Row{400, "", Errc::malformed, true},
          Row{404, "", Errc::transient, false}, Row{503, "", Errc::throttled, false},
          Row{200, "", Errc::empty, false}, Row{200, "<html>", Errc::empty, false},
          Row{200, "two words", Errc::empty, false}}) {
        CAPTURE(row.status, row.body);
        FakeMetadata fake([&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
            REQUIRE(path == "token"); // without one nothing else is asked
            return FakeMetadata::status(row.status, row.body);
        });
        const auto read = ask(fake);
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == row.code);
        CHECK(read.error().final == row.final);
        CHECK(read.error().of_service);
        CHECK(fake.http.requests.size() == 1);
    }
}

TEST_CASE("metadata service: Retry-After in seconds and as a date") {
    std::string value;
    FakeMetadata fake([&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == "token") return std::nullopt;
        return FakeMetadata::status(503, "", {{"retry-after", value}});
    });
    fake.clock.wall_start = WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};
    const auto after = [&](const char* text) {
        value = text;
        return ask(fake).error().retry_after;
    };
    CHECK(after("7") == 7s);
    const auto date = after("Sat, 21 Nov 2026 00:00:09 GMT");
    CHECK(date > 8900ms); // the fake's answers take 2 ms each
    CHECK(date <= 9s);
    CHECK(after("Fri, 20 Nov 2026 00:00:09 GMT") == 0s);
    CHECK(after("soon") == 0s);
    CHECK(after("-1") == 0s);
}

TEST_CASE("metadata service: nothing is asked after the deadline, or waited for beyond it") {
    FakeMetadata fake;
    const Deadline deadline = Deadline::in(fake.clock, 500ms);
    REQUIRE(fake.service.read(identity_path, deadline));
    CHECK(fake.http.requests.back().total_limit <= 500ms);
    CHECK(fake.http.requests.back().connect_limit <= 500ms);
    fake.clock.advance(1s);
    const auto late = fake.service.read(identity_path, deadline);
    REQUIRE_FALSE(late);
    CHECK(late.error().error.code == Errc::timed_out);
    CHECK(fake.http.requests.size() == 2);
    CHECK(fake.service.counters().requests == 2);
}
