// One signed request to AWS, and what its answer means.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/aws/surroundings.h"
#include "agent/sys/clock.h"
#include "agent/sys/http.h"

namespace muster::aws {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// One call of an API.
struct Call {
    std::string service; ///< signing name and first part of the host's: "autoscaling"
    std::string action;  ///< "CompleteLifecycleAction"
    std::string on;      ///< what it is done to, for a person: "the Auto Scaling group workers"
    /// Of the Query protocol: "Action" and "Version" first.
    Parameters parameters = {};
    /// Of the JSON protocol, in place of parameters: the target and the body.
    std::string target = {};
    std::string json = {};
    std::string url = {}; ///< "": the service's endpoint

    /// As IAM names it: "autoscaling:CompleteLifecycleAction".
    [[nodiscard]] std::string permission() const { return service + ":" + action; }
    /// The request without its signature, for a person.
    [[nodiscard]] std::string shown() const;
};

/// A call of the Query protocol.
[[nodiscard]] Call query(std::string service, std::string version, std::string action,
                         Parameters parameters, std::string on);

/// Why there is no answer, or none that helps.
struct Refusal {
    Error error;
    Duration retry_after = Duration::zero(); ///< as the service asked for
    bool final = false;                      ///< trying again is of no use
    std::string code = {};                   ///< AWS's own: "ValidationError"; "" without an answer
};

template <class T>
using Answer = std::expected<T, Refusal>;

/// Signs with the role's credentials and makes one attempt; a second one at once where AWS does not
/// like the time of the signature and its own Date says that our clock is off. Keeps one
/// connection. Used by one thread at a time.
class Client {
  public:
    struct Options {
        std::string region;   ///< "": the instance's own
        std::string endpoint; ///< "": the region's own; a VPC endpoint's or a FIPS one's address
    };
    Client(std::unique_ptr<HttpClient> http, Clock& clock, Surroundings& around, Options options);

    /// The body of an answer of success.
    [[nodiscard]] Answer<std::string> call(const Call& call, Deadline deadline);

    /// Gets all that a later call will need while it is to be had: where we are, credentials, the
    /// host's address, a connection. What fails now may be well later, and is tried again then.
    void warm(const std::string& service, Deadline deadline);

    /// Where the call would go.
    [[nodiscard]] Answer<std::string> url_of(const Call& call, Deadline deadline);

  private:
    [[nodiscard]] Answer<std::string> region(Deadline deadline);
    [[nodiscard]] Answer<HttpResponse> attempt(const Call& call, Deadline deadline);
    [[nodiscard]] bool adopt_clock_of(const HttpResponse& response);
    [[nodiscard]] Refusal refusal(const Call& call, const HttpResponse& response);
    [[nodiscard]] WallTime wall() const { return clock_.wall() + skew_; }

    std::unique_ptr<HttpClient> http_;
    Clock& clock_;
    Surroundings& around_;
    Options options_;
    std::chrono::milliseconds skew_{}; ///< AWS's clock minus ours, where that mattered
};

} // namespace muster::aws
