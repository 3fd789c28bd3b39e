#include "probes/instance_values.h"

#include <fmt/format.h>
#include <memory>

namespace muster::probes {
namespace {

using Json = nlohmann::json;
using Read = std::function<Reading<Json>(MetadataService&, Deadline)>;

/// "An empty answer is never a value", but for these an empty listing and no listing say the same.
Reading<std::string> read_or_absent(MetadataService& service, const std::string& path,
                                    Deadline deadline) {
    auto body = service.read(path, deadline);
    if (!body && body.error().error.code == Errc::empty) body.error().error.code = Errc::absent;
    return body;
}

/// A value that is a text, parsed and shown.
template <class T>
Read value_at(std::string path, Result<T> (*parse)(std::string_view), Json (*show)(const T&)) {
    return [=](MetadataService& service, Deadline deadline) -> Reading<Json> {
        const auto body = service.read(path, deadline);
        if (!body) return std::unexpected(body.error());
        const auto value = as_reading(parse(*body));
        if (!value) return std::unexpected(value.error());
        return show(*value);
    };
}

Read line_at(const std::string& path) {
    return value_at<std::string>("meta-data/" + path, &parse_line,
                                 [](const std::string& line) { return Json(line); });
}

Read signature_at(const std::string& path) {
    return value_at<std::string>(path, &parse_signature, [](const std::string& base64) {
        return Json(fmt::format("({} characters, not shown)", base64.size()));
    });
}

Reading<Json> read_tags(MetadataService& service, Deadline deadline) {
    const std::string folder = "meta-data/tags/instance/";
    const auto listing = read_or_absent(service, folder, deadline);
    if (!listing) return std::unexpected(listing.error());
    const auto keys = as_reading(parse_tag_keys(*listing));
    if (!keys) return std::unexpected(keys.error());
    Tags tags;
    for (const auto& key : *keys) {
        auto body = service.read(folder + key, deadline);
        if (!body && body.error().error.code == Errc::empty) body = ""; // a tag may have no value
        // It was just taken away: the newest listing will tell.
        if (!body && body.error().error.code == Errc::absent)
            body.error().error.code = Errc::conflict;
        if (!body) return std::unexpected(body.error());
        auto value = as_reading(parse_tag_value(*body));
        if (!value) return std::unexpected(value.error());
        tags.emplace(key, std::move(*value));
    }
    return Json(tags);
}

Reading<Json> read_credentials(MetadataService& service, Deadline deadline) {
    const std::string folder = "meta-data/iam/security-credentials/";
    const auto listing = read_or_absent(service, folder, deadline);
    if (!listing) return std::unexpected(listing.error());
    const auto role = as_reading(parse_line(*listing));
    if (!role) return std::unexpected(role.error());
    const auto body = service.read(folder + *role, deadline);
    if (!body) return std::unexpected(body.error());
    const auto credentials = as_reading(parse_credentials(*body));
    if (!credentials) return std::unexpected(credentials.error());
    return Json{{"role", *role}, {"expiration", credentials->expiration}, {"keys", "(not shown)"}};
}

Reading<Json> read_user_data(MetadataService& service, Deadline deadline) {
    const auto body = read_or_absent(service, "user-data", deadline);
    if (!body) return std::unexpected(body.error());
    return Json{{"bytes", body->size()}, {"kind", kind_of_user_data(*body)}};
}

Json shown_events(const std::vector<MaintenanceEvent>& events) {
    Json list = Json::array();
    for (const auto& event : events) {
        list.push_back({{"id", event.id},
                        {"code", event.code},
                        {"state", event.state},
                        {"description", event.description},
                        {"not_before", event.not_before},
                        {"not_after", event.not_after}});
    }
    return list;
}

struct Known {
    const char* name;
    Rule rule;
    Read read;
};

std::vector<Known> all_values() {
    const std::string document = "dynamic/instance-identity/";
    return {
        // The document says these too, signed; here they stand as a second witness.
        {"instance-id", Rule::fixed, line_at("instance-id")},
        {"instance-type", Rule::fixed, line_at("instance-type")},
        {"ami-id", Rule::fixed, line_at("ami-id")},
        {"placement/region", Rule::fixed, line_at("placement/region")},
        {"placement/availability-zone", Rule::fixed, line_at("placement/availability-zone")},
        {"placement/availability-zone-id", Rule::fixed, line_at("placement/availability-zone-id")},
        {"instance-life-cycle", Rule::fixed, line_at("instance-life-cycle")},
        {"services/domain", Rule::fixed, line_at("services/domain")},
        {"services/partition", Rule::fixed, line_at("services/partition")},
        {"user-data", Rule::fixed, &read_user_data}, // changed only while the instance is stopped
        {"tags/instance", Rule::live, &read_tags},
        {"autoscaling/target-lifecycle-state", Rule::live,
         line_at("autoscaling/target-lifecycle-state")},
        {"iam/security-credentials", Rule::live, &read_credentials},
        {"spot/instance-action", Rule::live,
         value_at<SpotAction>("meta-data/spot/instance-action", &parse_spot_action,
                              [](const SpotAction& action) {
                                  return Json{{"action", action.action}, {"time", action.time}};
                              })},
        {"events/recommendations/rebalance", Rule::live,
         value_at<std::string>("meta-data/events/recommendations/rebalance", &parse_rebalance,
                               [](const std::string& time) { return Json(time); })},
        {"events/maintenance/scheduled", Rule::live,
         value_at<std::vector<MaintenanceEvent>>("meta-data/events/maintenance/scheduled",
                                                 &parse_maintenance, &shown_events)},
        {"instance-identity/signature", Rule::proved, signature_at(document + "signature")},
        {"instance-identity/pkcs7", Rule::proved, signature_at(document + "pkcs7")},
        {"instance-identity/rsa2048", Rule::proved, signature_at(document + "rsa2048")},
    };
}

} // namespace

std::vector<InstanceValue> read_instance_values(MetadataService& service, Clock& clock,
                                                const MetadataRules& rules, Deadline deadline,
                                                std::uint64_t seed, const WaitNotice& notice) {
    const Instant start = clock.now();
    const auto known = all_values();
    std::vector<std::unique_ptr<Pursuit<Json>>> pursuits;
    std::vector<Pursued*> values;
    for (const auto& [name, rule, read] : known) {
        Need need = rules.need();
        if (rule != Rule::fixed) need.present = 1;
        pursuits.push_back(
            std::make_unique<Pursuit<Json>>(Recipe<Json>{read, need}, start, seed++));
        values.push_back(pursuits.back().get());
    }
    pursue(values, service, clock, deadline, notice);

    std::vector<InstanceValue> list;
    for (std::size_t i = 0; i < known.size(); ++i)
        list.push_back({known[i].name, known[i].rule, pursuits[i]->answer()});
    return list;
}

} // namespace muster::probes
