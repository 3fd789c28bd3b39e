#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/sys/json_text.h"
#include "probes/metadata.h"
#include "probes/text.h"

namespace muster::probes {
namespace {

constexpr std::size_t max_names = 128; // ephemeral[0-23] and the most volumes an instance can have

bool is_word(std::string_view text, std::string_view extra) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               extra.find(c) != extra.npos;
    });
}

} // namespace

Result<Identity> parse_identity(std::string_view document) {
    const auto json = parse_json(document);
    if (!json.is_object()) {
        return fail(Errc::malformed, "instance identity document: expected a JSON object, found " +
                                         excerpt(document));
    }
    Identity identity;
    const auto field = [&](const char* name, std::string_view prefix, std::string& to) {
        const auto found = json.find(name);
        if (found == json.end() || !found->is_string()) return false;
        to = *found;
        return to.starts_with(prefix) && to.size() > prefix.size() && is_word(to, "-.");
    };
    const struct {
        const char* name;
        std::string_view prefix;
        std::string& to;
    } fields[] = {
        {"instanceId", "i-", identity.instance_id},
        {"instanceType", "", identity.instance_type},
        {"imageId", "ami-", identity.image},
        {"accountId", "", identity.account},
        {"region", "", identity.region},
        {"availabilityZone", "", identity.zone},
    };
    for (const auto& [name, prefix, to] : fields) {
        if (!field(name, prefix, to)) {
            return fail(Errc::malformed,
                        fmt::format("instance identity document: {} is missing or not an id: {}",
                                    name, excerpt(to)));
        }
    }
    return identity;
}

Result<std::vector<std::string>> parse_mapping_names(std::string_view listing) {
    std::vector<std::string> names;
    for (const auto name : lines_of(listing)) {
        if (!is_word(name, "-_") || names.size() == max_names) {
            return fail(Errc::malformed,
                        "block-device-mapping: expected names like \"ephemeral0\", found " +
                            excerpt(name));
        }
        names.emplace_back(name);
    }
    if (names.empty()) return fail(Errc::empty, "block-device-mapping: the listing holds no name");
    sort_unique(names);
    return names;
}

Result<std::string> parse_mapping_device(std::string_view text) {
    auto device = trimmed(text);
    if (device.starts_with("/dev/")) device.remove_prefix(5);
    if (!is_word(device, "")) {
        return fail(
            Errc::malformed,
            "block-device-mapping: expected a device like \"sdb\" or \"/dev/xvdb\", found " +
                excerpt(text));
    }
    return std::string(device);
}

} // namespace muster::probes
