// The signed identity document, for a receiver that wants proof of who reports.
#pragma once

#include "agent/config/config.h"
#include "agent/sinks/sink.h"

namespace muster {

/// Reads document, signature and rsa2048 once, each carrying its own proof, and keeps them: they
/// stay the same until the instance is stopped (EC2 User Guide, "Instance identity documents").
/// The document is the service's text to the byte, since that is what is signed; the other two are
/// base64 without line breaks. Never through a proxy. `clock` must outlive the result.
[[nodiscard]] IdentitySource ask_for_identity(const MetadataConfig& config, Clock& clock);

/// The same over any client.
[[nodiscard]] IdentitySource ask_for_identity(const MetadataConfig& config, Clock& clock,
                                              std::unique_ptr<HttpClient> http);

} // namespace muster
