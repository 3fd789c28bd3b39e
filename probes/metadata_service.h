// One reading of the instance metadata service (IMDSv2), with every way it fails told apart.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/sys/clock.h"
#include "agent/sys/http.h"
#include "agent/sys/result.h"

namespace muster::probes {

/// What asking has cost and met, for the report.
struct MetadataCounters {
    unsigned requests = 0;      ///< HTTP requests made, token requests included
    unsigned retries = 0;       ///< readings that had to be made again
    unsigned empty = 0;         ///< answers without content
    unsigned disagreements = 0; ///< answers that differed from the one before
    /// Why readings failed: "refused", "timed_out", "http 503" ... -> how often
    std::map<std::string, unsigned> failures;
};

struct ReadingError {
    Error error;
    Duration retry_after = Duration::zero(); ///< as the service asked for
    bool of_service = false; ///< it would have hit any other value too: refused, throttled, token
    /// Asking again is of no use: the service is switched off, or we ask wrongly.
    bool final = false;
};

/// Speaks IMDSv2 and nothing else: there is no fallback to version 1. Never retries.
class MetadataService {
  public:
    /// `endpoint`: "http://169.254.169.254"
    MetadataService(HttpClient& http, Clock& clock, std::string endpoint);

    /// Reads a path below the pinned version, "meta-data/instance-id". The body is never empty.
    /// `absent`: 404. No request is begun at the deadline or waited for beyond it (`timed_out`).
    [[nodiscard]] std::expected<std::string, ReadingError> read(std::string_view path,
                                                                Deadline deadline);

    [[nodiscard]] MetadataCounters& counters() { return counters_; }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  private:
    [[nodiscard]] std::expected<void, ReadingError> renew_token(Deadline deadline);
    [[nodiscard]] std::expected<HttpResponse, ReadingError> ask(HttpRequest request,
                                                                Deadline deadline);
    [[nodiscard]] std::unexpected<ReadingError> refuse(const HttpRequest& request,
                                                       const HttpResponse& response);

    HttpClient& http_;
    Clock& clock_;
    std::string endpoint_;
    std::string token_;
    Instant token_ends_{};
    MetadataCounters counters_;
};

} // namespace muster::probes
