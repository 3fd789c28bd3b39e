#include <filesystem>
#include <fstream>

#include "agent/hold.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct HoldFixture : TemporaryFolder {
    /// With a metadata service that answers so for the listing of the tags.
    Hold look(std::function<Result<HttpResponse>(unsigned tries)> listing) {
        unsigned tries = 0;
        FakeHttp http(
            [&](const HttpRequest& request) -> Result<HttpResponse> {
                if (request.method == "PUT") {
                    return FakeHttp::answer(200, "token",
                                            {{"x-aws-ec2-metadata-token-ttl-seconds", "300"}});
                }
                CHECK(request.url.ends_with("/meta-data/tags/instance/"));
                return listing(++tries);
            },
            &clock, 1ms);
        probes::MetadataService service(http, clock, {});
        const auto hold = is_held(config, files, service, clock, Deadline::in(clock, 5s));
        asked = tries;
        return hold;
    }

    Files files{path};
    FakeClock clock;
    HoldConfig config;
    unsigned asked = 0;
};

Result<HttpResponse> tags(const std::string& listing) {
    return FakeHttp::answer(200, listing);
}

} // namespace

TEST_CASE_METHOD(HoldFixture, "hold: by the file, and nobody is asked") {
    fs::create_directories(path / "run/muster");
    std::ofstream(path / "run/muster/hold") << "";
    const auto hold = look([](unsigned) { return tags("Name"); });
    CHECK(hold.held);
    CHECK(hold.why == "held by the file /run/muster/hold");
    CHECK(asked == 0);
}

TEST_CASE_METHOD(HoldFixture, "hold: by the tag, whatever its value") {
    config.tag = "team:keep";
    auto hold = look([](unsigned) { return tags("Name\nteam:keep\nteam:keep2"); });
    CHECK(hold.held);
    CHECK(hold.why == "held by the tag team:keep");
    hold = look([](unsigned) { return tags("Name\nteam:keep2"); });
    CHECK_FALSE(hold.held);
    CHECK(hold.why.empty());
}

TEST_CASE_METHOD(HoldFixture, "hold: no tags in metadata is no hold, once that has lasted") {
    auto hold = look([](unsigned) { return FakeHttp::answer(404); });
    CHECK_FALSE(hold.held);
    CHECK(hold.why.empty());
    CHECK(asked >= 3);
    CHECK(clock.elapsed() >= 2s);
    CHECK(clock.elapsed() < 5s);
    const auto before = clock.elapsed();
    hold = look([&](unsigned) {
        return clock.elapsed() - before < 1500ms ? FakeHttp::answer(404) : tags("muster:hold");
    });
    CHECK(hold.held);
}

TEST_CASE_METHOD(HoldFixture, "hold: an empty answer, or none, is asked about again") {
    auto hold = look([](unsigned tries) {
        if (tries == 1) return tags("");
        if (tries == 2) return Result<HttpResponse>(fail(Errc::timed_out, "late"));
        if (tries == 3) return Result<HttpResponse>(FakeHttp::answer(503));
        return tags("muster:hold");
    });
    CHECK(hold.held);
    CHECK(asked == 4);
}

TEST_CASE_METHOD(HoldFixture,
                 "hold: a service that fails holds nothing, and that is said in time") {
    const auto hold = look([](unsigned) { return FakeHttp::answer(500); });
    CHECK_FALSE(hold.held);
    CHECK(hold.why.find("can't be told") != std::string::npos);
    CHECK(hold.why.find("500") != std::string::npos);
    CHECK(asked > 2);
    CHECK(clock.elapsed() <= 5s);
}
