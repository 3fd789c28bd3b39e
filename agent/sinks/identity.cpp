#include "agent/sinks/identity.h"

#include <random>

#include "agent/metadata.h"
#include "agent/sys/schedule.h"
#include "probes/instance_values.h"
#include "probes/metadata_service.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

// A service that fails must not be asked harder by a fleet that reports all at once.
constexpr Backoff backoff{.base = std::chrono::milliseconds(200), .cap = std::chrono::seconds(2)};

/// The service, and what it has told so far.
struct Papers {
    Papers(const MetadataConfig& config, Clock& c, std::unique_ptr<HttpClient> client)
        : clock(c), http(std::move(client)), service(*http, c, metadata_access(config)) {}

    Result<OrderedJson> get(Deadline deadline) {
        if (auto read = take("document", deadline); !read) return fail(read.error());
        if (auto read = take("signature", deadline); !read) return fail(read.error());
        if (auto read = take("rsa2048", deadline); !read) return fail(read.error());
        return found;
    }

    /// Asks until there is an answer that asking again can't better.
    Result<void> take(const std::string& name, Deadline deadline) {
        Schedule schedule(backoff, std::random_device{}());
        while (!found.contains(name)) {
            auto text = service.read("dynamic/instance-identity/" + name, deadline);
            if (text && name != "document") {
                const auto base64 = probes::parse_signature(*text);
                if (!base64) return fail(base64.error(), name);
                text = *base64;
            }
            if (text) {
                found[name] = *text;
                continue;
            }
            const Instant next = clock.now() + schedule.next(text.error().retry_after);
            if (text.error().final || next >= deadline.at) return fail(text.error().error, name);
            clock.sleep_until(next);
        }
        return {};
    }

    Clock& clock;
    std::unique_ptr<HttpClient> http;
    probes::MetadataService service;
    OrderedJson found = OrderedJson::object();
};

} // namespace

IdentitySource ask_for_identity(const MetadataConfig& config, Clock& clock,
                                std::unique_ptr<HttpClient> http) {
    const auto papers = std::make_shared<Papers>(config, clock, std::move(http));
    return [papers](Deadline deadline) { return papers->get(deadline); };
}

IdentitySource ask_for_identity(const MetadataConfig& config, Clock& clock) {
    return ask_for_identity(config, clock, make_http_client({.tls = false}));
}

} // namespace muster
