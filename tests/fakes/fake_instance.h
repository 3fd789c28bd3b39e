// Instance metadata as what speaks to AWS reads it, and AWS itself, both as functions of a test's.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http.h"

namespace muster {

/// A client that is kept by whoever made it.
class BorrowedHttp : public HttpClient {
  public:
    explicit BorrowedHttp(FakeHttp& http) : http_(http) {}
    [[nodiscard]] Result<HttpResponse> attempt(const HttpRequest& request) override {
        return http_.attempt(request);
    }

  private:
    FakeHttp& http_;
};

/// Metadata takes a millisecond, AWS ten.
struct FakeInstance {
    static std::string keys(const std::string& key, const std::string& end) {
        return R"({"Code": "Success", "AccessKeyId": ")" + key +
               R"(", "SecretAccessKey": "s", "Token": "t", "Expiration": ")" + end + "\"}";
    }
    /// As the Query protocol has them.
    static std::string error_xml(const std::string& code, const std::string& message = "m") {
        return "<ErrorResponse><Error><Code>" + code + "</Code><Message>" + message +
               "</Message></Error></ErrorResponse>";
    }
    /// How AWS answers the calls, in order; the last one for ever.
    void answers(std::vector<Result<HttpResponse>> list) {
        answer = [list, n = 0U](const HttpRequest&) mutable {
            return list[std::min<std::size_t>(n++, list.size() - 1)];
        };
    }

    FakeClock clock;
    std::map<std::string, std::string> tree{
        {"meta-data/instance-id", "i-1"},
        {"meta-data/placement/region", "eu-west-1"},
        {"meta-data/services/domain", "amazonaws.com"},
        {"meta-data/iam/security-credentials/", "worker"},
        // The clock of the tests begins at 2026-11-21T20:00:00Z.
        {"meta-data/iam/security-credentials/worker", keys("K1", "2026-11-21T21:00:00Z")}};
    std::map<std::string, int> asked; ///< how often, by path
    FakeHttp::Handler answer = [](const HttpRequest&) { return FakeHttp::answer(200, "<ok/>"); };
    FakeHttp metadata_http{[this](const HttpRequest& request) { return metadata(request); }, &clock,
                           std::chrono::milliseconds(1)};
    FakeHttp http{[this](const HttpRequest& request) { return answer(request); }, &clock,
                  std::chrono::milliseconds(10)};

  private:
    Result<HttpResponse> metadata(const HttpRequest& request) {
        if (request.method == "PUT") return FakeHttp::answer(200, "token");
        const auto path = request.url.substr(request.url.find("meta-data/"));
        ++asked[path];
        const auto found = tree.find(path);
        return found == tree.end() ? FakeHttp::answer(404) : FakeHttp::answer(200, found->second);
    }
};

} // namespace muster
