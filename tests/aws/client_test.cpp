#include "agent/aws/client.h"
#include "tests/catch.h"
#include "tests/fakes/fake_instance.h"

using namespace muster;
using namespace muster::aws;
using namespace std::chrono_literals;

namespace {

struct Fixture : FakeInstance {
    Answer<std::string> call() {
        return client.call(
            query("autoscaling", "2011-01-01", "SetInstanceHealth", {{"InstanceId", "i-1"}}, "g"),
            Deadline::in(clock, 5s));
    }
    [[nodiscard]] std::string sent(std::size_t n, const std::string& name) const {
        for (const auto& [key, value] : http.requests.at(n).headers) {
            if (key == name) return value;
        }
        return "(none)";
    }

    Surroundings around{std::make_unique<BorrowedHttp>(metadata_http), clock, {}};
    Client client{std::make_unique<BorrowedHttp>(http), clock, around, {}};
};

const std::string key_path = "meta-data/iam/security-credentials/worker";

} // namespace

TEST_CASE_METHOD(Fixture, "aws client: the request") {
    CHECK(call() == "<ok/>");
    REQUIRE(http.requests.size() == 1);
    const auto& request = http.requests.front();
    CHECK(request.method == "POST");
    CHECK(request.url == "https://autoscaling.eu-west-1.amazonaws.com/");
    CHECK(request.body == "Action=SetInstanceHealth&Version=2011-01-01&InstanceId=i-1");
    CHECK(sent(0, "X-Amz-Date") == "20261121T200000Z");
    CHECK(sent(0, "X-Amz-Security-Token") == "t");
    CHECK(sent(0, "Authorization").find("Credential=K1/20261121/eu-west-1/autoscaling/") !=
          std::string::npos);
    CHECK(request.total_limit <= 5s);
    CHECK(request.connect_limit <= 3s);
}

TEST_CASE_METHOD(Fixture,
                 "aws client: credentials are renewed before they end, and outlive metadata") {
    CHECK(call());
    CHECK(call());
    CHECK(asked[key_path] == 1);
    clock.advance(56min);
    tree[key_path] = keys("K2", "2026-11-22T02:00:00Z");
    CHECK(call());
    CHECK(asked[key_path] == 2);
    CHECK(sent(2, "Authorization").find("Credential=K2/") != std::string::npos);
    clock.advance(5h);
    tree.clear(); // metadata fails: the old ones are good for another four minutes
    CHECK(call());
    clock.advance(5min);
    const auto none = call();
    REQUIRE_FALSE(none);
    CHECK_FALSE(none.error().final);
    CHECK(http.requests.size() == 4);
}

TEST_CASE_METHOD(Fixture,
                 "aws client: what was just given is used, whatever our clock makes of its end") {
    clock.advance(240h);
    CHECK(call());
}

TEST_CASE_METHOD(Fixture, "aws client: credentials that are over are asked for anew") {
    answers({FakeHttp::answer(403, error_xml("ExpiredToken")), FakeHttp::answer(200, "<ok/>")});
    const auto first = call();
    REQUIRE_FALSE(first);
    CHECK_FALSE(first.error().final);
    tree[key_path] = keys("K2", "2026-11-22T02:00:00Z");
    CHECK(call());
    CHECK(sent(1, "Authorization").find("Credential=K2/") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "aws client: a clock that is off, once and no more") {
    const auto late = FakeHttp::answer(403, error_xml("SignatureDoesNotMatch"),
                                       {{"date", "Sat, 21 Nov 2026 21:30:00 GMT"}});
    answers({late, FakeHttp::answer(200, "<ok/>")});
    CHECK(call());
    REQUIRE(http.requests.size() == 2);
    CHECK(sent(1, "X-Amz-Date") == "20261121T213000Z");
    CHECK(call()); // it remembers
    CHECK(http.requests.size() == 3);
    CHECK(sent(2, "X-Amz-Date").substr(0, 13) == "20261121T2130");

    answers({FakeHttp::answer(403, error_xml("SignatureDoesNotMatch"),
                              {{"date", "Sat, 21 Nov 2026 23:30:00 GMT"}})});
    const auto never = call();
    REQUIRE_FALSE(never);
    CHECK(http.requests.size() == 5);
    for (const char* date : {"", "yesterday", "Sat, 21 Nov 2026 23:30:10 GMT"}) {
        answers({FakeHttp::answer(403, error_xml("SignatureDoesNotMatch"), {{"date", date}})});
        const auto before = http.requests.size();
        CHECK_FALSE(call());
        INFO(date);
        CHECK(http.requests.size() == before + 1);
    }
}

TEST_CASE_METHOD(Fixture, "aws client: final or not, and whose words") {
    answers({FakeHttp::answer(403, error_xml("AccessDenied"))});
    auto refusal = call();
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().final);
    CHECK(refusal.error().error.message ==
          "denied: the instance's role needs autoscaling:SetInstanceHealth on g (docs/aws.md); AWS "
          "says: AccessDenied: m");
    answers({FakeHttp::answer(503, "<html>", {{"retry-after", "7"}})});
    refusal = call();
    REQUIRE_FALSE(refusal);
    CHECK_FALSE(refusal.error().final);
    CHECK(refusal.error().retry_after == 7s);
    answers({FakeHttp::answer(403, "<html>a proxy's page</html>")});
    refusal = call();
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().final);
    CHECK(refusal.error().error.message.find("a proxy's page") != std::string::npos);
    for (const auto& [code, final] : {std::pair(Errc::refused, false),
                                      {Errc::timed_out, false},
                                      {Errc::interrupted, false},
                                      {Errc::denied, true}}) {
        answers({fail(code, "x")});
        refusal = call();
        REQUIRE_FALSE(refusal);
        CHECK(refusal.error().final == final);
    }
}

TEST_CASE_METHOD(Fixture, "aws client: no metadata, no role, no sense") {
    tree.erase("meta-data/iam/security-credentials/");
    auto refusal = call();
    REQUIRE_FALSE(refusal);
    CHECK_FALSE(refusal.error().final);
    CHECK(refusal.error().error.message.find("no IAM role") != std::string::npos);
    tree["meta-data/placement/region"] = "evil.example/";
    refusal = call();
    REQUIRE_FALSE(refusal);
    CHECK(http.requests.empty());
}

TEST_CASE_METHOD(Fixture, "aws client: what is needed later is asked for early") {
    client.warm("autoscaling", Deadline::in(clock, 3s));
    REQUIRE(http.requests.size() == 1);
    CHECK(http.requests.front().method == "GET");
    CHECK(http.requests.front().headers.empty());
    tree.clear();
    CHECK(call());
}
