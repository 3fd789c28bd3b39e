// A metadata service in memory: healthy, but for what a test says.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "probes/metadata.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http.h"

namespace muster::probes {

inline const std::string identity_path = "dynamic/instance-identity/document";
inline const std::string mapping_path = "meta-data/block-device-mapping/";

class FakeMetadata {
  public:
    using Answer = Result<HttpResponse>;
    /// `path` without the version: "meta-data/...", or "token". nullopt: as the healthy service.
    using Rule = std::function<std::optional<Answer>(const std::string& path)>;

    explicit FakeMetadata(Rule spoil = {}, Duration latency = std::chrono::milliseconds(2))
        : rule(std::move(spoil)),
          http([this](const HttpRequest& request) { return answer(request); }, &clock, latency) {}

    Metadata read(Duration deadline = std::chrono::seconds(150), std::uint64_t seed = 1) {
        return read_metadata(service, clock, {}, Deadline::in(clock, deadline), seed,
                             [this](std::string_view what, Instant until) {
                                 notices.emplace_back(what);
                                 REQUIRE(until >= clock.now());
                             });
    }

    [[nodiscard]] std::size_t asked(const std::string& path) const {
        return static_cast<std::size_t>(
            std::ranges::count(paths, path, [](const auto& seen) { return seen.first; }));
    }

    /// When it was asked so for the nth time.
    [[nodiscard]] Duration when(const std::string& path, std::size_t n = 0) const {
        for (const auto& [seen, at] : paths) {
            if (seen == path && n-- == 0) return at;
        }
        FAIL(path << " was not asked so often");
        return {};
    }

    static Answer status(int code, std::string body = "", std::vector<HttpHeader> headers = {}) {
        return FakeHttp::answer(code, std::move(body), std::move(headers));
    }

    std::map<std::string, std::string> tree{
        {identity_path,
         R"({"instanceId": "i-0abc", "imageId": "ami-1", "instanceType": "m3.large", "accountId":
             "123456789012", "region": "eu-west-1", "availabilityZone": "eu-west-1a"})"},
        {mapping_path, "ami\nephemeral0\nroot"},
        {mapping_path + "ami", "sda1"},
        {mapping_path + "ephemeral0", "sdb"},
        {mapping_path + "root", "/dev/sda1"},
    };
    Rule rule;
    FakeClock clock;
    FakeHttp http;
    MetadataService service{http, clock, {.endpoint = "http://imds"}};
    std::vector<std::string> notices;
    std::vector<std::pair<std::string, Duration>> paths; ///< what was asked, and when

  private:
    Answer answer(const HttpRequest& request) {
        REQUIRE(request.total_limit > Duration::zero());
        std::string path;
        if (request.url == "http://imds/latest/api/token") {
            REQUIRE(request.method == "PUT");
            path = "token";
        } else {
            const std::string below = "http://imds/2021-07-15/";
            REQUIRE_THAT(request.url, Catch::StartsWith(below));
            REQUIRE(request.method == "GET");
            path = request.url.substr(below.size());
        }
        paths.emplace_back(path, clock.elapsed());
        if (rule) {
            if (auto spoilt = rule(path)) return *spoilt;
        }
        if (path == "token") {
            token_ = "token" + std::to_string(++tokens_);
            return status(200, token_);
        }
        if (request.headers.empty() || request.headers.front().second != token_) return status(401);
        const auto found = tree.find(path);
        return found == tree.end() ? status(404) : status(200, found->second);
    }

    std::string token_;
    int tokens_ = 0;
};

} // namespace muster::probes
