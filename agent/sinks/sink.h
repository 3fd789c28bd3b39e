// A place where reports go. One attempt a call; retrying belongs to the courier.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/config/config.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/http.h"
#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster {

/// A report, ready to be sent.
struct Message {
    std::string body; ///< JSON
    std::string key;  ///< INSTANCE/BOOT_ID/SEQUENCE: the receiver drops what it has seen
    /// From the very `run` that just made it, not from the spool. What comes late condemns nobody.
    bool fresh = false;
};

struct SinkError {
    Error error;
    Duration retry_after = Duration::zero(); ///< as the receiver asked for
    bool final = false;                      ///< trying again is of no use
};

class Sink {
  public:
    virtual ~Sink() = default;
    /// Nothing is delivered until the receiver has said so.
    [[nodiscard]] virtual std::expected<void, SinkError> deliver(const Message& message,
                                                                 Duration limit) = 0;

    /// How often `in-progress` is sent again until the verdict, where its receiver waits for a sign
    /// of life. Zero: once is enough.
    [[nodiscard]] virtual Duration heartbeat() const { return Duration::zero(); }

    /// For `muster deliver --test`: a sink that records is sent `test`, a report with the outcome
    /// "test"; one that acts does nothing, and tells what it would. Gives lines for a person.
    [[nodiscard]] virtual std::expected<std::string, SinkError> rehearse(const Message& test,
                                                                         Duration limit) {
        if (const auto sent = deliver(test, limit); !sent) return std::unexpected(sent.error());
        return "    took the test report\n";
    }
};

/// Gives {"document", "signature", "rsa2048"}, or why not, in time.
using IdentitySource = std::function<Result<nlohmann::ordered_json>(Deadline deadline)>;

/// POST with an Idempotency-Key. 2xx is delivered; 408, 425, 429, 5xx and no connection are worth
/// another try; any other answer is final. `token`: a bearer token, "" for none. `identity`: what
/// goes along as the report's `identity`; nothing for none. Where it can't be had, the report goes
/// without: the receiver decides what that is worth, and silence would be worse.
[[nodiscard]] std::unique_ptr<Sink> make_webhook(std::string url, std::string token,
                                                 std::unique_ptr<HttpClient> http, Clock& clock,
                                                 IdentitySource identity = {});

/// Writes the latest report to a file, whole or not at all; isolated, since its disk may be stuck.
[[nodiscard]] std::unique_ptr<Sink> make_file_sink(std::string path, const Clock& clock,
                                                   std::unique_ptr<Isolate> isolate);

/// The sink that the configuration describes. `cancelled` ends an attempt that is under way.
/// Fails where a file that it names (token, certificate) can't be read. To be called before this
/// process has a second thread: a file sink isolates its writing.
[[nodiscard]] Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config, const Files& files,
                                                      Clock& clock,
                                                      std::function<bool()> cancelled);

} // namespace muster
