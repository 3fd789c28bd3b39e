// `muster metadata`: everything that the service says, and how each answer was reached.
#include <fmt/format.h>

#include "agent/commands.h"
#include "agent/look.h"
#include "agent/metadata.h"
#include "agent/sys/json_text.h"
#include "probes/instance_values.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;
using probes::Answer;

/// One row: what, by which rule, and how it was reached.
template <class T>
OrderedJson row(const std::string& name, probes::Rule rule, const Answer<T>& answer,
                const OrderedJson& value) {
    OrderedJson json = {{"name", name}, {"rule", probes::to_string(rule)}};
    json["status"] = !answer.value ? "unknown" : answer.get() == nullptr ? "absent" : "confirmed";
    json["value"] = answer.get() == nullptr ? OrderedJson(nullptr) : value;
    json["readings"] = answer.readings;
    json["disagreements"] = answer.disagreements;
    json["first_seconds"] = answer.first;
    json["last_seconds"] = answer.last;
    if (!answer.value) json["error"] = answer.value.error().message;
    return json;
}

/// What the document says of a value that has a path of its own, too; "" for any other.
std::string in_document(const probes::Identity& identity, std::string_view name) {
    if (name == "instance-id") return identity.instance_id;
    if (name == "instance-type") return identity.instance_type;
    if (name == "ami-id") return identity.image;
    if (name == "placement/region") return identity.region;
    if (name == "placement/availability-zone") return identity.zone;
    return "";
}

/// Two witnesses that don't agree make neither believable.
void compare(const probes::Identity& identity, const std::vector<probes::InstanceValue>& values,
             Progress& progress) {
    for (const auto& [name, rule, answer] : values) {
        const auto expected = in_document(identity, name);
        if (expected.empty() || answer.get() == nullptr || *answer.get() == expected) continue;
        progress.finding(
            probes::failed("metadata", name, "metadata-unstable",
                           fmt::format("{} is {}, and {} in the identity document", name,
                                       answer.get()->template get<std::string>(), expected)));
    }
}

std::string text_of(const OrderedJson& value) {
    if (value.is_string()) return value.get<std::string>();
    return to_text(value);
}

std::string line_of(const OrderedJson& row) {
    const auto status = row["status"].get<std::string>();
    const auto value = status == "confirmed" ? text_of(row["value"])
                       : status == "absent"  ? "(there is none)"
                                             : "UNKNOWN: " + text_of(row["error"]);
    const unsigned disagreements = row["disagreements"];
    return fmt::format("{:<36}{}\n{:36}{}, {} {}{}, {:.2f} s to {:.2f} s\n",
                       row["name"].get<std::string>(), value, "", row["rule"].get<std::string>(),
                       row["readings"].get<unsigned>(),
                       row["readings"] == 1 ? "reading" : "readings",
                       disagreements > 0 ? fmt::format(", {} disagreements", disagreements) : "",
                       row["first_seconds"].get<double>(), row["last_seconds"].get<double>());
}

OrderedJson instance_json(const Instance& instance) {
    const auto text = [](const std::string& value) {
        return value.empty() ? OrderedJson(nullptr) : OrderedJson(value);
    };
    return {{"id", text(instance.id)},           {"type", text(instance.type)},
            {"region", text(instance.region)},   {"zone", text(instance.zone)},
            {"account", text(instance.account)}, {"image", text(instance.image)}};
}

/// What was confirmed to be believed at a boot, and all the rest of it.
OrderedJson all_rows(MetadataStage& stage, const Look& here, Progress& progress) {
    const auto known = stage.confirm(here.deadline);
    const auto& [identity, mapping] = stage.answers();
    auto rows = OrderedJson::array();
    rows.push_back(row("instance-identity/document", probes::Rule::fixed, identity,
                       identity.get() ? OrderedJson(shown(*identity.get())) : OrderedJson()));
    rows.push_back(row("block-device-mapping", probes::Rule::fixed, mapping,
                       mapping.get() ? OrderedJson(shown(*mapping.get())) : OrderedJson()));
    // A service that can't say who we are is not asked for the rest.
    if (!known) return rows;
    const auto values = stage.all_values(here.deadline);
    compare(known->identity, values, progress);
    for (const auto& [name, rule, answer] : values)
        rows.push_back(
            row(name, rule, answer, answer.get() ? OrderedJson(*answer.get()) : OrderedJson()));
    return rows;
}

} // namespace

int show_metadata(const Options& options) {
    const auto here = look(options);
    if (here == nullptr) return bad_configuration;
    const auto world = here->real->world();
    MetadataStage stage(world, here->config, here->progress);
    const OrderedJson rows = all_rows(stage, *here, here->progress);

    const auto& record = here->record;
    const auto& counters = record.metadata;
    const auto* mapping = stage.answers().mapping.get();
    if (options.json) {
        print(OrderedJson{
            {"endpoint", stage.service().endpoint()},
            {"instance", instance_json(record.instance)},
            {"block-device-mapping", mapping ? OrderedJson(*mapping) : OrderedJson(nullptr)},
            {"values", rows},
            {"requests", counters.requests},
            {"retries", counters.retries},
            {"empty", counters.empty},
            {"disagreements", counters.disagreements},
            {"failures", counters.failures},
            {"imdsv1", counters.imdsv1},
            {"findings", findings_json(record)}});
        return here->status();
    }
    std::string text;
    for (const auto& row : rows)
        text += line_of(row);
    print(text + findings_text(record) +
          fmt::format("{}: {} requests, {} retries, {} empty, {} disagreements{}\n",
                      stage.service().endpoint(), counters.requests, counters.retries,
                      counters.empty, counters.disagreements,
                      counters.imdsv1 ? "; without a token (IMDSv1)" : ""));
    return here->status();
}

} // namespace muster
