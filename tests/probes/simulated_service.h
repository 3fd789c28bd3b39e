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

/// The real client. Its limits are real time, and the fake clock follows when one has run out; all
/// else takes none.
class TimedHttp : public HttpClient {
  public:
    explicit TimedHttp(FakeClock& clock, HttpOptions options = {.tls = false})
        : clock_(clock), client_(make_http_client(std::move(options))) {}

    [[nodiscard]] Result<HttpResponse> attempt(const HttpRequest& request) override {
        if (before) before();
        const Instant start = real_->now();
        auto answer = client_->attempt(request);
        if (!answer && answer.error().code == Errc::timed_out) clock_.advance(real_->now() - start);
        return answer;
    }

    std::function<void()> before; ///< each request

  private:
    FakeClock& clock_;
    std::unique_ptr<HttpClient> client_;
    std::unique_ptr<Clock> real_ = make_system_clock();
};

/// An agent that has just started.
struct SimulatedBoot {
    explicit SimulatedBoot(MetadataAccess access)
        : http(clock), service(http, clock, std::move(access)) {
        // The simulator's dates are real ones.
        clock.wall_start =
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
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
