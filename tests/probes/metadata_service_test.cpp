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
    int refuse = 1;
    FakeMetadata fake([&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path != "token" && refuse-- > 0) return FakeMetadata::status(401);
        return std::nullopt;
    });
    SECTION("that was all") {
        CHECK(ask(fake) == "/dev/sda1");
        CHECK(fake.asked("token") == 2);
        CHECK(fake.http.requests.size() == 4);
        CHECK(fake.service.counters().retries == 1);
        CHECK(fake.service.counters().failures.at("http 401") == 1);
    }
    SECTION("still refused: given time, and a new token at the next use") {
        refuse = 2;
        const auto read = ask(fake);
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == Errc::unauthorized);
        CHECK(read.error().of_service);
        CHECK_FALSE(read.error().final);
        CHECK(fake.asked("token") == 2);
        CHECK(fake.http.requests.size() == 4);
        CHECK(ask(fake));
        CHECK(fake.asked("token") == 3);
    }
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

TEST_CASE("metadata service: without a token only where that is allowed, and it is told") {
    int status = 404;
    bool times_out = false;
    const auto no_tokens = [&](const std::string& path) -> std::optional<FakeMetadata::Answer> {
        if (path == "token") {
            if (times_out) return fail(Errc::timed_out, "no answer");
            return FakeMetadata::status(status);
        }
        return FakeMetadata::status(200, "sda1");
    };
    SECTION("allowed") {
        SECTION("not found") {}
        SECTION("not allowed") {
            status = 405;
        }
        SECTION("the answer is lost") {
            times_out = true;
        }
        FakeMetadata fake(no_tokens);
        MetadataService service(fake.http, fake.clock, {.endpoint = "http://imds", .imdsv1 = true});
        for (int i = 0; i < 3; ++i)
            CHECK(service.read(mapping_path + "root", Deadline::in(fake.clock, 60s)) == "sda1");
        CHECK(service.counters().imdsv1);
        CHECK(fake.asked("token") == 1); // not before every reading
        CHECK(fake.http.requests.back().headers.empty());
    }
    SECTION("allowed, but the service is switched off") {
        status = 403;
        FakeMetadata fake(no_tokens);
        MetadataService service(fake.http, fake.clock, {.endpoint = "http://imds", .imdsv1 = true});
        const auto read = service.read(mapping_path, Deadline::in(fake.clock, 60s));
        REQUIRE_FALSE(read);
        CHECK(read.error().final);
        CHECK_FALSE(service.counters().imdsv1);
    }
    SECTION("not allowed") {
        FakeMetadata fake(no_tokens);
        REQUIRE_FALSE(ask(fake));
        CHECK(fake.http.requests.size() == 1);
        CHECK_FALSE(fake.service.counters().imdsv1);
    }
}

TEST_CASE("metadata service: of two addresses the one that gives a token is kept") {
    std::string answers = "fd00:ec2::254";
    bool refuse = false;
    FakeClock clock;
    FakeHttp http([&](const HttpRequest& request) -> Result<HttpResponse> {
        if (refuse) return fail(Errc::refused, "refused");
        auto answer = FakeHttp::answer(200, request.method == "PUT" ? "token" : "sda1");
        answer.address = answers;
        return answer;
    });
    MetadataService service(http, clock, well_known_access());
    const auto read = [&] { return service.read("meta-data/x", Deadline::in(clock, 60s)); };
    SECTION("IPv6") {
        CHECK(read() == "sda1");
        CHECK(service.endpoint() == "http://[fd00:ec2::254]");
        CHECK(http.requests.back().addresses.empty());
        CHECK(http.requests.back().url == "http://[fd00:ec2::254]/2021-07-15/meta-data/x");
    }
    SECTION("IPv4") {
        answers = "169.254.169.254";
        CHECK(read() == "sda1");
        CHECK(service.endpoint() == "http://169.254.169.254");
        CHECK(http.requests.front().addresses ==
              std::vector<std::string>{"169.254.169.254", "fd00:ec2::254"});
    }
    SECTION("after a failure the other one is preferred") {
        MetadataService fresh(http, clock, well_known_access());
        refuse = true;
        CHECK_FALSE(fresh.read("meta-data/x", Deadline::in(clock, 60s)));
        CHECK_FALSE(fresh.read("meta-data/x", Deadline::in(clock, 60s)));
        const auto last = http.requests.size() - 1;
        CHECK(http.requests[last].addresses.front() == "fd00:ec2::254");
        CHECK(http.requests[last - 1].addresses.front() == "169.254.169.254");
    }
}
