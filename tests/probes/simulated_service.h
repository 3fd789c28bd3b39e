// A metadata service on a socket, and the agent's side of it: the real HTTP client, but a clock on
// which waiting costs nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/sys/http.h"
#include "probes/metadata.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/simulator.h"

namespace muster::probes {

/// The real client. An answer takes no time, however long this machine needs for it: only requests
/// that are left unanswered end at the agent's own limits, and then the fake clock goes on.
class TimedHttp : public HttpClient {
  public:
    TimedHttp(FakeClock& clock, HttpOptions options)
        : clock_(clock), client_(make_http_client(std::move(options))) {}

    [[nodiscard]] Result<HttpResponse> attempt(const HttpRequest& request) override {
        if (before) before(request);
        auto real = request;
        if (unanswered == 0) real.connect_limit = real.total_limit = testing::patience;
        const Instant start = real_->now();
        auto answer = client_->attempt(real);
        if (unanswered == 0) return answer;
        --unanswered;
        if (!answer && answer.error().code == Errc::timed_out) {
            CHECK(real_->now() - start + std::chrono::milliseconds(10) >= request.*ended_by);
            clock_.advance(request.*ended_by);
        }
        return answer;
    }

    std::function<void(const HttpRequest&)> before; ///< each request
    unsigned unanswered = 0;                        ///< so many requests from now on
    Duration HttpRequest::* ended_by = &HttpRequest::total_limit;

  private:
    FakeClock& clock_;
    std::unique_ptr<HttpClient> client_;
    std::unique_ptr<Clock> real_ = make_system_clock();
};

/// The second family is tried because the first one fails, not because it is late.
inline const HttpOptions one_by_one{.tls = false, .family_delay = std::chrono::hours(1)};
/// As the agent does it.
inline const HttpOptions side_by_side{.tls = false};

/// An agent that has just started.
struct SimulatedBoot {
    explicit SimulatedBoot(MetadataAccess access, const HttpOptions& options = one_by_one)
        : http(clock, options), service(http, clock, std::move(access)) {}
    SimulatedBoot(const SimulatedBoot&) = delete;
    SimulatedBoot& operator=(const SimulatedBoot&) = delete;

    Metadata read(Duration deadline = std::chrono::seconds(150), std::uint64_t seed = 1) {
        return read_metadata(
            service, clock, {}, Deadline::in(clock, deadline), seed,
            [this](std::string_view what, Instant) { notices.emplace_back(what); });
    }
    [[nodiscard]] Deadline soon() const { return Deadline::in(clock, std::chrono::seconds(20)); }

    FakeClock clock;
    TimedHttp http;
    MetadataService service;
    std::vector<std::string> notices;
};

/// How a value ended, in a word: "right", "wrong", "absent", or the error's name.
template <class T>
std::string ending(const Answer<T>& answer, const T& right) {
    if (!answer.value) return std::string(to_string(answer.value.error().code));
    if (answer.get() == nullptr) return "absent";
    return *answer.get() == right ? "right" : "wrong";
}

/// What scripts/healthy.json says.
inline const Identity healthy_identity{"i-0123456789abcdef0", "m1.xlarge", "ami-0abcdef1234567890",
                                       "123456789012",        "eu-west-1", "eu-west-1b"};
inline const Mapping healthy_mapping{
    {"ami", "sda1"},       {"ebs1", "sdf"},       {"ephemeral0", "sdb"}, {"ephemeral1", "sdc"},
    {"ephemeral2", "sdd"}, {"ephemeral3", "sde"}, {"root", "sda1"}};
/// One token; three times the document, the list and each of its entries.
inline const std::size_t fewest_requests = 1 + 3 * (1 + 1 + healthy_mapping.size());

} // namespace muster::probes
