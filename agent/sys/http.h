// One HTTP request, one answer. Retrying, tokens and meaning belong to the caller.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster {

using HttpHeader = std::pair<std::string, std::string>;

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    std::vector<HttpHeader> headers;
    std::string body;
    Duration connect_limit = std::chrono::seconds(1);
    Duration total_limit = std::chrono::seconds(2);
    std::size_t max_body = 1 << 20; ///< a longer answer is `too_large`
    /// Where several addresses serve the same: literal ones, "169.254.169.254", "fd00:ec2::254", of
    /// both families, in the order of preference. The url's host, which can't be an IPv6 address
    /// then, only names it. The second family is tried beside the first after `family_delay` (happy
    /// eyeballs, RFC 8305) and the first connection wins; one that is kept is used again while it
    /// leads to the first choice. Empty: the url's host.
    std::vector<std::string> addresses;
};

struct HttpResponse {
    int status = 0;
    std::vector<HttpHeader> headers; ///< names in lower case; 64 KiB together at most
    std::string body;
    std::string address; ///< the literal one that answered: "169.254.169.254"

    /// The first header of that (lower-case) name.
    [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
};

/// Makes one attempt and never retries. An answer of any status is a success here; errors are those
/// of getting one: `refused`, `unreachable`, `timed_out`, `too_large`, `denied` (TLS: the other
/// side is not who it should be), `malformed`, `transient` (reset, cut short).
class HttpClient {
  public:
    virtual ~HttpClient() = default;
    [[nodiscard]] virtual Result<HttpResponse> attempt(const HttpRequest& request) = 0;
};

struct HttpOptions {
    /// "": no proxy at all, not even the environment's (metadata: a proxy answers with *its own*
    /// machine's identity, boto issue 1146). nullopt: as the environment says.
    std::optional<std::string> proxy = "";
    bool tls = true;                ///< false: http only, and no certificate is ever read
    std::string ca_file;            ///< "": the system's own store
    std::string client_certificate; ///< PEM; "": none
    std::string client_key;
    /// RFC 8305, section 8, "Connection Attempt Delay".
    Duration family_delay = std::chrono::milliseconds(250);
    std::function<bool()> cancelled; ///< asked about once a second and before each try
};

/// Certificates are read when the client is made, since the root volume may hang later on.
///
/// A client on libcurl with one kept-alive connection. Never follows a redirect; TLS 1.2 or later,
/// always verified; http and https only. To be used by one thread.
[[nodiscard]] std::unique_ptr<HttpClient> make_http_client(HttpOptions options);

} // namespace muster
