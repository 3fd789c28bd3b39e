#include "agent/sinks/identity.h"

#include "agent/metadata.h"
#include "probes/instance_values.h"
#include "probes/metadata_service.h"

namespace muster {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration pause = std::chrono::milliseconds(100);

/// The service, and what it has told so far.
struct Papers {
    Papers(const MetadataConfig& config, Clock& c, std::unique_ptr<HttpClient> client)
        : clock(c), http(std::move(client)), service(*http, c, metadata_access(config)) {}

    Result<Json> get(Deadline deadline) {
        if (auto read = take("document", deadline); !read) return fail(read.error());
        if (auto read = take("signature", deadline); !read) return fail(read.error());
        if (auto read = take("rsa2048", deadline); !read) return fail(read.error());
        return found;
    }

    /// Asks until there is an answer that asking again can't better.
    Result<void> take(const std::string& name, Deadline deadline) {
        while (!found.contains(name)) {
            auto text = service.read("dynamic/instance-identity/" + name, deadline);
            if (text && name != "document") {
                const auto base64 = probes::parse_signature(*text);
                if (!base64) return fail(base64.error(), name);
                text = *base64;
            }
            if (text) {
                found[name] = *text;
            } else if (text.error().final || clock.now() + pause >= deadline.at) {
                return fail(text.error().error, name);
            } else {
                clock.sleep_until(clock.now() + pause);
            }
        }
        return {};
    }

    Clock& clock;
    std::unique_ptr<HttpClient> http;
    probes::MetadataService service;
    Json found = Json::object();
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
