// The HTTP client against tests/simulator on loopback: each way an answer can fail to come.
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/sys/http.h"
#include "tests/catch.h"
#include "tests/fakes/simulator.h"
#include "tests/pace.h"

using namespace muster;
using namespace std::chrono_literals;
using muster::testing::Limit;
using muster::testing::patience;
using muster::testing::Simulator;
using muster::testing::TwoFamilies;

namespace {

/// One for all tests: a start costs a fifth of a second.
Simulator& simulator() {
    static Simulator instance("healthy");
    return instance;
}

HttpRequest patient(HttpRequest request) {
    request.connect_limit = request.total_limit = patience;
    return request;
}

HttpRequest post() {
    return patient({.method = "POST",
                    .url = simulator().endpoint + "/reports",
                    .headers = {{"Content-Type", "application/json"}},
                    .body = "{}",
                    .max_body = 1000});
}

struct HttpRow {
    const char* name;
    const char* rule; ///< of the endpoint
    Errc code;
    Duration HttpRequest::* ends_it = nullptr; ///< which limit is to; none where it ends by itself
};

std::string script(const std::string& rule) {
    return "{\"endpoint\": [" + rule + "]}";
}

} // namespace

TEST_CASE("http: each failure has its own code, in time") {
    constexpr auto connect = &HttpRequest::connect_limit;
    constexpr auto total = &HttpRequest::total_limit;
    const HttpRow rows[] = {
        {"refused", R"({"refuse": true})", Errc::refused},
        {"connect hangs", R"({"drop_connects": true})", Errc::timed_out, connect},
        {"never answered", R"({"blackhole": true})", Errc::timed_out, total},
        {"late", R"({"delay": 1000})", Errc::timed_out, total},
        {"stall after the head", R"({"stall": 0})", Errc::timed_out, total},
        {"stall in the body", R"({"body": "0123456789", "stall": 5})", Errc::timed_out, total},
        {"a byte each tenth of a second", R"({"oversized": 1000, "drip": 0.1})", Errc::timed_out,
         total},
        {"a head that drips", R"({"headers": {"X": "HEAD"}, "drip_head": 0.1})", Errc::timed_out,
         total},
        {"reset before the answer", R"({"reset": "before"})", Errc::transient},
        {"reset in the body", R"({"body": "0123456789", "reset": 5})", Errc::transient},
        {"closed in the body", R"({"body": "0123456789", "close": 5})", Errc::transient},
        {"shorter than it says", R"({"body": "0123456789", "length_off_by": 7})", Errc::transient},
        {"too long", R"({"oversized": 1001})", Errc::too_large},
        {"far too long", R"({"oversized": 40000000})", Errc::too_large},
        {"too long, without saying so", R"({"oversized": 1001, "chunked": true})", Errc::too_large},
        {"no HTTP", R"({"raw": "SSH-2.0-x\r\n"})", Errc::malformed},
        {"a head beyond measure",
         R"({"raw": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: HEAD\r\n\r\n"})", Errc::too_large},
    };
    const auto client = make_http_client({});
    for (const auto& [name, rule, code, ends_it] : rows) {
        INFO(name);
        std::string text = rule;
        if (const auto at = text.find("HEAD"); at != text.npos)
            text.replace(at, 4, std::string(code == Errc::too_large ? 70'000 : 1'000, 'x'));
        simulator().swap(script(text));
        auto request = post();
        if (ends_it != nullptr) request.*ends_it = 300ms;
        const Limit limit;
        const auto answer = client->attempt(request);
        CHECK(limit.holds("an attempt that is given up"));
        REQUIRE_FALSE(answer);
        INFO(answer.error().message);
        CHECK(to_string(answer.error().code) == to_string(code));
        CHECK(answer.error().message.find(simulator().endpoint) != std::string::npos);
    }
    // And then, with the same client, well again.
    simulator().swap(script(""));
    const auto answer = client->attempt(post());
    REQUIRE(answer);
    CHECK(answer->status == 200);
}

TEST_CASE("http: every answer is an answer, whatever its status") {
    const auto client = make_http_client({});
    for (const int status : {200, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503}) {
        INFO(status);
        simulator().swap(script("{\"status\": " + std::to_string(status) + "}"));
        const auto answer = client->attempt(post());
        REQUIRE(answer);
        CHECK(answer->status == status);
    }
}

TEST_CASE("http: no redirect is followed") {
    simulator().swap(script("{\"redirect\": \"" + simulator().endpoint + "/elsewhere\"}"));
    const auto before = simulator().recorded().size();
    const auto answer = make_http_client({})->attempt(post());
    REQUIRE(answer);
    CHECK(answer->status == 302);
    CHECK(answer->header("location") == simulator().endpoint + "/elsewhere");
    CHECK(simulator().recorded().size() == before + 1);
}

TEST_CASE("http: bodies come as they are") {
    const auto client = make_http_client({});
    const auto body = [&](const char* rule) {
        simulator().swap(script(rule));
        const auto answer = client->attempt(post());
        REQUIRE(answer);
        return answer->body;
    };
    CHECK(body(R"({"body": "as said"})") == "as said");
    CHECK(body(R"({"empty": true})").empty());
    CHECK(body(R"({"body": "in pieces", "chunked": true})") == "in pieces");
    CHECK(body(R"({"body": "without more ado", "hang_up": true})") == "without more ado");
    CHECK(body(R"({"oversized": 1000})").size() == 1000); // just fits
    const auto binary = body(R"({"binary": 300})");
    REQUIRE(binary.size() == 300);
    CHECK(binary.substr(0, 3) == std::string("\x00\xff\xfe", 3));
    // Content-Length is all that tells where an answer ends: more than that is not seen.
    CHECK(body(R"({"body": "0123456789", "length_off_by": -7})") == "012");
    // The rest is on the wire and may spoil the next answer; not the one after that.
    simulator().swap(script(""));
    (void)client->attempt(post());
    const auto after = client->attempt(post());
    REQUIRE(after);
    CHECK(after->status == 200);
}

TEST_CASE("http: what is sent is what was asked to be sent") {
    simulator().swap(script(""));
    auto request = post();
    request.headers.emplace_back("Idempotency-Key", "i-1/b/2");
    request.body = std::string(60'000, 'x') + std::string("\0y", 2);
    REQUIRE(make_http_client({})->attempt(request));
    const auto got = simulator().recorded().back();
    CHECK(got["method"] == "POST");
    CHECK(got["path"] == "/reports");
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : got["headers"].items())
        headers[name] = value;
    INFO(got["headers"].dump());
    CHECK(headers["Content-Type"] == "application/json");
    CHECK(headers["Idempotency-Key"] == "i-1/b/2");
    CHECK(headers["User-Agent"].starts_with("muster/"));
    CHECK_FALSE(headers.contains("Expect"));
    CHECK(got["body"].get<std::string>().size() == 60'002);

    request = patient({.url = simulator().metadata + "/latest/meta-data/instance-id"});
    CHECK(make_http_client({})->attempt(request)->status == 401); // a GET, and no token
    request = patient({.method = "PUT",
                       .url = simulator().metadata + "/latest/api/token",
                       .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}}});
    const auto token = make_http_client({})->attempt(request);
    REQUIRE(token);
    CHECK(token->status == 200);
    CHECK(token->header("x-aws-ec2-metadata-token-ttl-seconds") == "60");
    CHECK_FALSE(token->header("X-Aws-Ec2-Metadata-Token-Ttl-Seconds")); // lower case, as it says
}

TEST_CASE("http: ten requests, one connection") {
    simulator().swap(script(""));
    const auto before = simulator().state()["endpoint"];
    const auto client = make_http_client({});
    for (int i = 0; i < 10; ++i)
        REQUIRE(client->attempt(post()));
    const auto after = simulator().state()["endpoint"];
    CHECK(after["requests"].get<int>() - before["requests"].get<int>() == 10);
    CHECK(after["connections"].get<int>() - before["connections"].get<int>() == 1);
}

TEST_CASE(
    "http: where several addresses serve the same, the first one does, the other in its stead") {
    if (!TwoFamilies::possible()) {
        WARN("no IPv6 here");
        return;
    }
    TwoFamilies both;
    const std::string v4 = "127.0.0.1";
    const std::string v6 = "::1";
    // The second address is tried because the first one fails, not because it is late.
    const auto client = make_http_client({.tls = false, .family_delay = patience});
    /// Who answered.
    const auto ask = [&](const std::vector<std::string>& addresses) {
        const auto answer =
            client->attempt(patient({.url = both.v4.metadata + "/latest", .addresses = addresses}));
        return answer ? answer->address : answer.error().message;
    };
    const auto connections = [](Simulator& simulator) {
        return simulator.state()["metadata"]["connections"].get<int>();
    };
    const std::string refuse = R"({"metadata": [{"refuse": true}]})";
    SECTION("the first, whatever the url's host, and over one connection") {
        for (int i = 0; i < 3; ++i)
            CHECK(ask({v6, v4}) == v6);
        CHECK(connections(both.v6) == 1);
        CHECK(connections(both.v4) == 0);
    }
    SECTION("another order is another choice, though a connection is kept") {
        CHECK(ask({v4, v6}) == v4);
        CHECK(ask({v6, v4}) == v6);
        CHECK(ask({v4, v6}) == v4);
        CHECK(ask({v6}) == v6);
    }
    SECTION("the second where the first is refused, and the first once it is there") {
        both.v4.swap(refuse);
        CHECK(ask({v4, v6}) == v6);
        CHECK(ask({v6, v4}) == v6);
        CHECK(connections(both.v6) == 1);
        both.v4.swap(R"({"metadata": []})");
        CHECK(ask({v4, v6}) == v4);
    }
    SECTION("an IPv6 url takes no addresses: libcurl can't name it so; never the wrong one") {
        CHECK_FALSE(
            client->attempt(patient({.url = both.v6.metadata + "/latest", .addresses = {v4}})));
    }
    SECTION("none of them") {
        both.v4.swap(refuse);
        both.v6.swap(refuse);
        const auto answer =
            client->attempt(patient({.url = both.v4.metadata + "/latest", .addresses = {v4, v6}}));
        REQUIRE_FALSE(answer);
        CHECK(to_string(answer.error().code) == "refused");
    }
    SECTION("the next request without addresses goes to the url's own host") {
        CHECK(ask({v6}) == v6);
        CHECK(ask({}) == v4); // neither the kept connection nor the entry in the cache of names
        both.v4.swap(refuse);
        CHECK_THAT(ask({}), Catch::Contains("refused") || Catch::Contains("connect"));
        CHECK(connections(both.v6) == 1);
    }
    SECTION("the next request without addresses uses the connection that led to its host") {
        CHECK(ask({v4, v6}) == v4);
        CHECK(ask({}) == v4);
        CHECK(connections(both.v4) == 1);
        both.v4.swap(refuse);
        CHECK_THAT(ask({}), Catch::Contains("connect"));
        CHECK(connections(both.v6) == 0);
    }
}

TEST_CASE("http: a connection that was closed in the meantime is opened anew") {
    simulator().swap(script(R"({"hang_up": true})"));
    const auto client = make_http_client({});
    for (int i = 0; i < 3; ++i)
        REQUIRE(client->attempt(post()));
}

TEST_CASE("http: a proxy of the environment is for those who ask for it") {
    simulator().swap(script(""));
    ::setenv("http_proxy", "http://127.0.0.1:9", 1); // nobody listens
    ::setenv("all_proxy", "http://127.0.0.1:9", 1);
    const auto without = make_http_client({})->attempt(post());
    const auto as_environment = make_http_client({.proxy = std::nullopt})->attempt(post());
    ::unsetenv("http_proxy");
    ::unsetenv("all_proxy");
    CHECK(without);
    REQUIRE_FALSE(as_environment);
    CHECK(as_environment.error().code == Errc::refused);
    const auto named = make_http_client({.proxy = simulator().endpoint})
                           ->attempt(patient({.url = "http://scaler.example/x"}));
    CHECK(named); // the name is the proxy's to resolve
}

TEST_CASE("http: called off while it waits") {
    simulator().swap(script(R"({"blackhole": true})"));
    const auto requests = [] { return simulator().state()["endpoint"]["requests"].get<int>(); };
    const int before = requests();
    std::atomic<bool> cancelled = false;
    const auto clock = make_system_clock();
    const auto client = make_http_client({.cancelled = [&] { return cancelled.load(); }});
    auto job = clock->start("canceller", [&] {
        while (requests() == before) {
        }
        cancelled = true;
    });
    auto request = post();
    request.total_limit = 1h;
    const auto answer = client->attempt(request);
    clock->wait(*job);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::interrupted);
    // The next request is not of the old answer.
    cancelled = false;
    simulator().swap(script(R"({"body": "new"})"));
    const auto next = client->attempt(post());
    REQUIRE(next);
    CHECK(next->body == "new");
}

TEST_CASE("http: what is no address, and what is no http") {
    const auto client = make_http_client({});
    const auto code = [&](const std::string& url) {
        const auto answer = client->attempt(patient({.url = url}));
        REQUIRE_FALSE(answer);
        return answer.error().code;
    };
    CHECK(code("file:///etc/passwd") == Errc::malformed);
    CHECK(code("ftp://127.0.0.1/") == Errc::malformed);
    const auto plain =
        make_http_client({.tls = false})->attempt(patient({.url = "https://127.0.0.1:9/"}));
    REQUIRE_FALSE(plain);
    CHECK(plain.error().code == Errc::malformed);
    CHECK(code("http://") == Errc::malformed);
    CHECK(code("http://127.0.0.1:99999/") == Errc::malformed);
}

TEST_CASE("http: nothing secret in an error") {
    const auto client = make_http_client({});
    const auto answer =
        client->attempt(patient({.method = "POST",
                                 .url = "http://user:pa55word@127.0.0.1:9/hook?key=s3cret",
                                 .headers = {{"Authorization", "Bearer t0ken"}},
                                 .body = "b0dy"}));
    REQUIRE_FALSE(answer);
    const auto& message = answer.error().message;
    CHECK(message.find("http://127.0.0.1:9/...") != std::string::npos);
    for (const char* secret : {"pa55word", "user:", "hook", "s3cret", "t0ken", "b0dy"}) {
        INFO(message);
        CHECK(message.find(secret) == std::string::npos);
    }
}
