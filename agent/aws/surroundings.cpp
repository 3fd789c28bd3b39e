#include "agent/aws/surroundings.h"

#include <ctime>
#include <fmt/format.h>

#include "agent/aws/endpoint.h"

namespace muster::aws {
namespace {

constexpr auto renewal_margin = std::chrono::minutes(5);
const std::string credentials_folder = "meta-data/iam/security-credentials/";

/// "2026-11-21T20:01:02Z"; what can't be understood ended long ago.
WallTime parse_expiration(const std::string& text) {
    std::tm parts{};
    const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (rest == nullptr || *rest != '\0') return {};
    return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

} // namespace

Surroundings::Surroundings(std::unique_ptr<HttpClient> http, Clock& clock,
                           probes::MetadataAccess access)
    : http_(std::move(http)), service_(*http_, clock, std::move(access)) {}

Result<std::string> Surroundings::line(const std::string& path, Deadline deadline) {
    const auto body = service_.read("meta-data/" + path, deadline);
    if (!body) return fail(body.error().error, path);
    return probes::parse_line(*body);
}

Result<Place> Surroundings::place(Deadline deadline) {
    if (place_) return *place_;
    auto id = line("instance-id", deadline);
    if (!id) return fail(id.error());
    auto region = line("placement/region", deadline);
    if (!region) return fail(region.error());
    auto domain = line("services/domain", deadline);
    if (!domain) return fail(domain.error());
    // They become the name of the host that is told.
    if (!is_region(*region) || !is_domain(*domain)) {
        return fail(Errc::malformed,
                    fmt::format("instance metadata: expected a region and a domain, found \"{}\" "
                                "and \"{}\"",
                                *region, *domain));
    }
    place_ = Place{std::move(*id), std::move(*region), std::move(*domain)};
    return *place_;
}

Result<probes::Credentials> Surroundings::fetch(Deadline deadline) {
    const auto role = line("iam/security-credentials/", deadline);
    if (!role && role.error().code == Errc::absent) {
        return fail(Errc::absent, "the instance has no IAM role (yet), so nothing can be signed: "
                                  "attach an instance profile (docs/aws.md)");
    }
    if (!role) return fail(role.error());
    const auto body = service_.read(credentials_folder + *role, deadline);
    if (!body) return fail(body.error().error, "credentials of the role " + *role);
    return probes::parse_credentials(*body);
}

Result<probes::Credentials> Surroundings::credentials(WallTime wall, Deadline deadline) {
    if (credentials_ && wall + renewal_margin < credentials_end_) return *credentials_;
    auto fetched = fetch(deadline);
    if (fetched) {
        credentials_ = std::move(*fetched);
        credentials_end_ = parse_expiration(credentials_->expiration);
        return *credentials_;
    }
    if (credentials_ && wall < credentials_end_) return *credentials_;
    return fail(fetched.error());
}

Result<std::string> Surroundings::tag(const std::string& key, Deadline deadline) {
    const auto body = service_.read("meta-data/tags/instance/" + key, deadline);
    if (!body) return fail(body.error().error, "the tag " + key);
    return probes::parse_tag_value(*body);
}

Result<bool> Surroundings::was_scaled(Deadline deadline) {
    const auto state = line("autoscaling/target-lifecycle-state", deadline);
    if (state) return true;
    if (state.error().code == Errc::absent) return false;
    return fail(state.error());
}

} // namespace muster::aws
