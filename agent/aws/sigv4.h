// AWS Signature Version 4 ("Create a signed AWS API request", in the IAM User Guide). Pure.
//
// Our own, since libcurl's can't be given a time: it can't sign again after a skew of the clock,
// and nothing could be compared with it (curl issue 11738).
#pragma once

#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/http.h"
#include "probes/instance_values.h"

namespace muster::aws {

/// What a signature is good for, besides its day.
struct Scope {
    std::string region;  ///< "eu-west-1"
    std::string service; ///< the signing name: "autoscaling"
};

struct Signature {
    std::string canonical_request;
    std::string string_to_sign;
    /// To be sent besides those that the request has: X-Amz-Date, X-Amz-Security-Token where the
    /// credentials have one, Authorization.
    std::vector<HttpHeader> headers;
};

/// Signs method, path, query, host, all headers of the request and its body. The url is as it is
/// sent: percent-encoded, its host in lower case. For every service but S3, which encodes paths
/// once and not twice.
[[nodiscard]] Signature sign(const HttpRequest& request, const Scope& scope,
                             const probes::Credentials& credentials, WallTime time);

/// All but letters, digits and - . _ ~ as %XX: RFC 3986's unreserved characters.
[[nodiscard]] std::string percent_encoded(std::string_view text, std::string_view also_safe = "");

} // namespace muster::aws
