// One reading of the instance metadata service (IMDSv2), with every way it fails told apart.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

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
    bool imdsv1 = false; ///< answers were taken without a token, as the configuration allows
};

/// Where the service is, and how it may be asked.
struct MetadataAccess {
    std::string endpoint = "http://169.254.169.254";
    /// Literal addresses that serve the same: the one that first gives a token, or a value without
    /// one, is kept. Empty: the endpoint's own. See `HttpRequest::addresses`.
    std::vector<std::string> addresses;
    bool imdsv1 = false; ///< ask without a token where tokens are not to be had
};

/// The two addresses that every instance's service has (the second on Nitro, where it is enabled):
/// "Use IMDSv2", in the EC2 User Guide.
[[nodiscard]] MetadataAccess well_known_access();

struct ReadingError {
    Error error;
    Duration retry_after = Duration::zero(); ///< as the service asked for
    bool of_service = false; ///< it would have hit any other value too: refused, throttled, token
    /// Asking again is of no use: the service is switched off, or we ask wrongly.
    bool final = false;
};

/// Speaks IMDSv2. One token is asked for, used by all readings, renewed before its end and, once a
/// use, on 401; there is no fallback to version 1 unless `access` allows it. Beyond that it never
/// retries. One thread: so a token in flight is waited for by every reading, never asked for twice.
class MetadataService {
  public:
    MetadataService(HttpClient& http, Clock& clock, MetadataAccess access);

    /// Reads a path below the pinned version, "meta-data/instance-id". The body is never empty.
    /// `absent`: 404. No request is begun at the deadline or waited for beyond it (`timed_out`).
    [[nodiscard]] std::expected<std::string, ReadingError> read(std::string_view path,
                                                                Deadline deadline);

    [[nodiscard]] MetadataCounters& counters() { return counters_; }
    [[nodiscard]] const MetadataCounters& counters() const { return counters_; }
    /// "http://169.254.169.254": the one that was kept.
    [[nodiscard]] const std::string& endpoint() const { return access_.endpoint; }

  private:
    [[nodiscard]] std::expected<HttpResponse, ReadingError> get(std::string_view path,
                                                                Deadline deadline);
    [[nodiscard]] std::expected<void, ReadingError> renew_token(Deadline deadline);
    void take_token(HttpResponse response);
    void keep(std::string_view address);
    void prefer_the_other();
    [[nodiscard]] std::expected<HttpResponse, ReadingError> ask(HttpRequest request,
                                                                Deadline deadline);
    [[nodiscard]] std::unexpected<ReadingError> refuse(const HttpRequest& request,
                                                       const HttpResponse& response);

    HttpClient& http_;
    Clock& clock_;
    MetadataAccess access_;
    std::string token_; ///< "" after a renewal that imdsv1 excused
    Instant token_ends_{};
    MetadataCounters counters_;
};

} // namespace muster::probes
