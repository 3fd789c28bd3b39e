#include <fstream>
#include <sys/stat.h>

#include "agent/sinks/identity.h"
#include "agent/sinks/sink.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http.h"
#include "tests/pace.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

const Message message{.body = R"({"outcome":"ready"})", .key = "i-1/b/2"};

struct WebhookFixture {
    /// What the sink makes of the answer.
    std::expected<void, SinkError> sent(FakeHttp::Handler handler, Duration limit = 10s,
                                        const std::string& token = "") {
        auto http = std::make_unique<FakeHttp>(std::move(handler), &clock);
        auto* requests = &http->requests;
        const auto sink =
            make_webhook("https://scaler.example/v1?x=y", token, std::move(http), clock);
        auto result = sink->deliver(message, limit);
        REQUIRE(requests->size() == 1); // one attempt a call
        request = requests->front();
        return result;
    }
    std::expected<void, SinkError> answered(int status, std::vector<HttpHeader> headers = {},
                                            const std::string& body = "") {
        return sent([&](const HttpRequest&) { return FakeHttp::answer(status, body, headers); });
    }
    [[nodiscard]] std::string header(const std::string& name) const {
        for (const auto& [key, value] : request.headers) {
            if (key == name) return value;
        }
        return "(none)";
    }
    FakeClock clock;
    HttpRequest request;
};

struct Folder : TemporaryFolder {
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name, std::ios::binary) << text;
    }
    Files files{path};
};

} // namespace

TEST_CASE_METHOD(WebhookFixture, "webhook: the request") {
    CHECK(answered(200));
    CHECK(request.method == "POST");
    CHECK(request.url == "https://scaler.example/v1?x=y");
    CHECK(request.body == message.body);
    CHECK(header("Content-Type") == "application/json");
    CHECK(header("Idempotency-Key") == "i-1/b/2");
    CHECK(header("Authorization") == "(none)");
    CHECK(request.total_limit == 10s);
    CHECK(request.connect_limit == 3s);
    const auto well = [](const HttpRequest&) { return FakeHttp::answer(200); };
    CHECK(sent(well, 2s, "t0ken"));
    CHECK(header("Authorization") == "Bearer t0ken");
    CHECK(request.total_limit == 2s);
    CHECK(request.connect_limit == 2s); // no longer than the whole
}

TEST_CASE_METHOD(WebhookFixture, "webhook: which answers are delivered, tried again, final") {
    for (const int status : {200, 201, 202, 204, 206, 299}) {
        INFO(status);
        CHECK(answered(status, {}, "<html>\xff"));
    }
    for (const int status : {408, 425, 429, 500, 501, 502, 503, 504, 599}) {
        INFO(status);
        const auto result = answered(status);
        REQUIRE_FALSE(result);
        CHECK_FALSE(result.error().final);
    }
    for (const int status :
         {100, 199, 300, 301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 410, 413, 422, 451}) {
        INFO(status);
        const auto result = answered(status, {}, "because");
        REQUIRE_FALSE(result);
        CHECK(result.error().final);
        const auto& text = result.error().error.message;
        CHECK(text.find("answered " + std::to_string(status)) != std::string::npos);
        CHECK(text.find("because") != std::string::npos);
    }
}

TEST_CASE_METHOD(WebhookFixture,
                 "webhook: no answer at all is tried again, unless it is of no use") {
    for (const auto code :
         {Errc::refused, Errc::unreachable, Errc::timed_out, Errc::transient, Errc::interrupted}) {
        INFO(to_string(code));
        const auto result = sent([&](const HttpRequest&) { return fail(code, "x"); });
        REQUIRE_FALSE(result);
        CHECK_FALSE(result.error().final);
    }
    for (const auto code : {Errc::denied, Errc::malformed}) { // TLS; a wrong address
        INFO(to_string(code));
        const auto result = sent([&](const HttpRequest&) { return fail(code, "x"); });
        REQUIRE_FALSE(result);
        CHECK(result.error().final);
    }
}

TEST_CASE_METHOD(WebhookFixture, "webhook: Retry-After in both forms") {
    CHECK(answered(429, {{"retry-after", "7"}}).error().retry_after == 7s);
    CHECK(answered(503, {{"retry-after", "Sat, 21 Nov 2026 20:00:30 GMT"}}).error().retry_after ==
          30s);
    CHECK(answered(503).error().retry_after == 0s);
    CHECK(answered(503, {{"retry-after", "soon"}}).error().retry_after == 0s);
    CHECK(answered(503, {{"retry-after", "99999999999"}}).error().retry_after == 10min);
}

TEST_CASE_METHOD(WebhookFixture, "webhook: a receiver that repeats the token is not repeated") {
    const auto echo = [](const HttpRequest& sent_to) {
        std::string body(480, 'x'); // the second stands where the message is cut
        return FakeHttp::answer(403, "no: " + sent_to.headers.back().second + body +
                                         sent_to.headers.back().second);
    };
    const auto result = sent(echo, 10s, "an-0dd-t0ken");
    REQUIRE_FALSE(result);
    const auto& text = result.error().error.message;
    CHECK(text.find("no: Bearer ***x") != std::string::npos);
    for (const char* part : {"an-0dd-t0ken", "an-0dd", "t0ken"})
        CHECK(text.find(part) == std::string::npos);
    CHECK(text.size() < 700);
}

TEST_CASE("webhook: the identity goes along, and a report without one goes all the same") {
    FakeClock clock;
    auto http = std::make_unique<FakeHttp>([](const HttpRequest&) { return FakeHttp::answer(200); },
                                           &clock);
    auto* requests = &http->requests;
    Result<nlohmann::ordered_json> identity = fail(Errc::timed_out, "no metadata");
    Duration given{};
    const auto sink =
        make_webhook("https://scaler.example/", "", std::move(http), clock, [&](Deadline deadline) {
            given = deadline.left(clock);
            clock.sleep_until(clock.now() + 1s);
            return identity;
        });
    CHECK(sink->deliver(message, 10s));
    CHECK(given == 2s); // most of the try is left for the endpoint
    CHECK(requests->back().body == message.body);
    CHECK(requests->back().total_limit == 9s);
    identity = nlohmann::ordered_json{{"document", "{\n}"}, {"signature", "c2ln"}};
    CHECK(sink->deliver(message, 500ms));
    CHECK(given == 500ms);
    CHECK(requests->back().body ==
          R"({"outcome":"ready","identity":{"document":"{\n}","signature":"c2ln"}})");
}

TEST_CASE("identity: document, signature and rsa2048, read once; the document to the byte") {
    FakeClock clock;
    const std::string document = "{\n  \"instanceId\" : \"i-1\"\n}";
    int failures = 2;
    auto http = std::make_unique<FakeHttp>(
        [&](const HttpRequest& request) -> Result<HttpResponse> {
            if (request.method == "PUT") {
                return FakeHttp::answer(200, "token",
                                        {{"x-aws-ec2-metadata-token-ttl-seconds", "300"}});
            }
            if (failures-- > 0) return FakeHttp::answer(503);
            if (request.url.ends_with("/document")) return FakeHttp::answer(200, document);
            return FakeHttp::answer(200, "c2ln\nbmF0\n");
        },
        &clock, 1ms);
    auto* requests = &http->requests;
    const auto source = ask_for_identity({}, clock, std::move(http));
    const auto first = source(Deadline::in(clock, 2s));
    REQUIRE(first);
    CHECK((*first)["document"] == document);
    CHECK((*first)["signature"] == "c2lnbmF0");
    CHECK((*first)["rsa2048"] == "c2lnbmF0");
    const auto asked = requests->size();
    CHECK(source(Deadline::in(clock, 2s)) == first);
    CHECK(requests->size() == asked);
}

TEST_CASE("identity: a service that fails is given up in time, and asked again the next time") {
    FakeClock clock;
    bool well = false;
    auto http = std::make_unique<FakeHttp>(
        [&](const HttpRequest& request) -> Result<HttpResponse> {
            if (!well) return fail(Errc::timed_out, "late");
            if (request.method == "PUT") {
                return FakeHttp::answer(200, "token",
                                        {{"x-aws-ec2-metadata-token-ttl-seconds", "300"}});
            }
            return FakeHttp::answer(200, "c2ln");
        },
        &clock, 1ms);
    const auto source = ask_for_identity({}, clock, std::move(http));
    CHECK_FALSE(source(Deadline::in(clock, 2s)));
    CHECK(clock.elapsed() <= 2s);
    well = true;
    CHECK(source(Deadline::in(clock, 2s)));
}

TEST_CASE("sinks: a token is one line of a file") {
    const Folder folder;
    FakeClock clock;
    const auto made = [&](const std::string& content) {
        folder.write("token", content);
        return make_sink({.name = "scaler",
                          .type = SinkConfig::Type::webhook,
                          .url = "http://127.0.0.1:9/",
                          .token_file = "/token"},
                         folder.files, clock, {});
    };
    CHECK(made("t0ken"));
    CHECK(made("t0ken\n"));
    CHECK(made("t0ken\r\n\n"));
    for (const auto& bad : {std::string(), std::string("\n\n"), std::string("one\nX-Evil: two\n"),
                            std::string("one\rtwo"), std::string(20 << 10, 'x')}) {
        const auto sink = made(bad);
        REQUIRE_FALSE(sink);
        const auto& text = sink.error().message;
        INFO(text);
        CHECK(text.find("report.to.scaler") != std::string::npos);
        CHECK(text.find("token_file") != std::string::npos);
        CHECK(text.find("two") == std::string::npos); // not its content
    }
}

TEST_CASE("sinks: a file, whole or not at all") {
    const Folder folder;
    const auto real_clock = make_system_clock(); // the writing is a process of its own
    auto& clock = *real_clock;
    const auto sink =
        make_sink({.name = "f", .type = SinkConfig::Type::file, .path = "/a/b/report.json"},
                  folder.files, clock, {});
    REQUIRE(sink);
    CHECK((*sink)->deliver(message, testing::patience));
    CHECK(folder.files.read("/a/b/report.json") == message.body + "\n");
    struct stat status{};
    REQUIRE(::stat((folder.path / "a/b/report.json").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    folder.write("file", "");
    const auto blocked =
        make_sink({.name = "f", .type = SinkConfig::Type::file, .path = "/file/report.json"},
                  folder.files, clock, {});
    const auto result = (*blocked)->deliver(message, testing::patience);
    REQUIRE_FALSE(result);
    CHECK(result.error().error.message.find("/file") != std::string::npos);
}
