#include "agent/config/values.h"

#include <algorithm>
#include <map>

#include "agent/config/expect.h"
#include "agent/config/units.h"

namespace muster {

namespace {

bool is_key_of(const Key& key, const Json& entry) {
    return key.sinks.empty() ||
           std::ranges::find(key.sinks, text_of(entry, "type")) != key.sinks.end();
}

Json filled(const KeyTable& table, const Key& key, const Json& given);

Json filled_object(const KeyTable& table, const Key& key, const Json& given) {
    Json result = Json::object();
    for (const Key* child : table.below(key)) {
        const std::string name(child->name());
        const auto& value = member(given, name.c_str());
        // A key of another type of sink is kept, for the rules to complain about.
        if (!value.is_null() || (is_key_of(*child, given) && !child->preset.empty())) {
            result[name] = filled(table, *child, value);
        }
    }
    return result;
}

Json filled(const KeyTable& table, const Key& key, const Json& given) {
    Json value = given.is_null() && !key.preset.empty() ? key.preset_value() : given;
    if (key.node == Key::Node::value || !value.is_object()) {
        return value;
    }
    if (key.node != Key::Node::map) {
        return filled_object(table, key, value);
    }
    Json result = Json::object();
    for (const auto& [name, entry] : value.items()) {
        result[name] = filled(table, *table.find(key, name), entry);
    }
    return result;
}

nlohmann::ordered_json ordered(const KeyTable& table, const Key& key, const Json& value) {
    if (key.node == Key::Node::value || !value.is_object()) {
        return value;
    }
    auto result = nlohmann::ordered_json::object();
    if (key.node == Key::Node::map) {
        for (const auto& [name, entry] : value.items()) {
            result[name] = ordered(table, *table.find(key, name), entry);
        }
        return result;
    }
    for (const Key* child : table.below(key)) {
        const std::string name(child->name());
        if (value.contains(name)) {
            result[name] = ordered(table, *child, value[name]);
        }
    }
    return result;
}

Duration duration_of(const Json& object, const char* name) {
    return parse_duration(text_of(object, name)).value_or(Duration::zero());
}

bool flag_of(const Json& object, const char* name) {
    return member(object, name) == true;
}

std::optional<std::string> optional_text_of(const Json& object, const char* name) {
    const auto* text = member(object, name).get_ptr<const std::string*>();
    return text == nullptr ? std::nullopt : std::optional(*text);
}

MetadataConfig to_metadata(const Json& from) {
    MetadataConfig to;
    to.endpoint = optional_text_of(from, "endpoint");
    if (to.endpoint && to.endpoint->ends_with('/')) {
        to.endpoint->pop_back(); // paths are appended to it
    }
    to.confirmations = member(from, "confirmations").get<unsigned>();
    to.absence_span = duration_of(from, "absence_span");
    to.deadline = duration_of(from, "deadline");
    to.imdsv1 = flag_of(from, "imdsv1");
    return to;
}

lvm::VolumeLayout to_volume(const std::string& name, const Json& from) {
    lvm::VolumeLayout to;
    to.name = name;
    const auto size = text_of(from, "size");
    if (const auto percent = parse_whole_percent(size)) {
        to.size = lvm::Percent{*percent};
    } else {
        to.size = parse_size(size).value_or(0);
    }
    to.layout = text_of(from, "layout") == "linear" ? lvm::Layout::linear : lvm::Layout::striped;
    to.stripe_size = parse_size(text_of(from, "stripe_size")).value_or(to.stripe_size);
    const auto filesystem = text_of(from, "filesystem");
    to.filesystem = filesystem == "none"   ? lvm::Filesystem::none
                    : filesystem == "ext4" ? lvm::Filesystem::ext4
                                           : lvm::Filesystem::xfs;
    to.mount = text_of(from, "mount");
    to.options.clear();
    for (const auto& option : member(from, "options")) {
        to.options.push_back(option.get<std::string>());
    }
    to.mode = parse_permissions(text_of(from, "mode")).value_or(to.mode);
    to.owner = text_of(from, "owner");
    return to;
}

EphemeralConfig to_ephemeral(const Json& from) {
    EphemeralConfig to;
    to.expect = parse_expectation(member(from, "expect")).value_or(ExpectationByType{});
    to.deadline = duration_of(from, "deadline");
    to.layout.volume_group = text_of(from, "volume_group");
    const auto foreign = text_of(from, "on_foreign_data");
    to.layout.on_foreign_data = foreign == "wipe" ? lvm::ForeignData::wipe
                                : foreign == "wipe-preformatted"
                                    ? lvm::ForeignData::wipe_preformatted
                                    : lvm::ForeignData::refuse;
    to.layout.on_partial = text_of(from, "on_partial") == "rebuild" ? lvm::PartialGroup::rebuild
                                                                    : lvm::PartialGroup::fail;
    for (const auto& [name, volume] : member(from, "volumes").items()) {
        to.layout.volumes.push_back(to_volume(name, volume));
    }
    return to;
}

EbsVolume to_ebs_volume(const std::string& name, const Json& from) {
    EbsVolume to;
    to.name = name;
    to.device = optional_text_of(from, "device");
    to.volume_id = normal_volume_id(text_of(from, "volume_id"));
    to.min_size = parse_size(text_of(from, "min_size"));
    to.deadline = duration_of(from, "deadline");
    if (const auto& polls = member(from, "polls"); polls.is_array()) {
        to.polls.emplace();
        for (const auto& moment : polls) {
            to.polls->push_back(
                parse_duration(moment.get<std::string>()).value_or(Duration::zero()));
        }
    }
    to.write_probe = flag_of(from, "write_probe");
    return to;
}

Share to_share(const Json& from) {
    if (from.is_number_unsigned()) {
        return {0, from.get<std::uint64_t>()};
    }
    const auto* text = from.get_ptr<const std::string*>();
    const std::string_view amount = text == nullptr ? std::string_view() : *text;
    const auto percent = parse_percent(amount);
    return percent ? Share{*percent, {}} : Share{0, parse_size(amount)};
}

CheckConfig to_check(const std::string& name, const Json& from) {
    CheckConfig to;
    to.name = name;
    for (const auto& word : member(from, "command")) {
        to.command.push_back(word.get<std::string>());
    }
    to.deadline = duration_of(from, "deadline");
    to.required = flag_of(from, "required");
    to.recreate = flag_of(from, "recreate");
    return to;
}

SinkConfig::Type sink_type_of(const std::string& name) {
    using Type = SinkConfig::Type;
    static const std::map<std::string, Type> types = {
        {"webhook", Type::webhook},         {"file", Type::file},
        {"autoscaling", Type::autoscaling}, {"cloudformation", Type::cloudformation},
        {"ec2-tags", Type::ec2_tags},       {"sqs", Type::sqs},
        {"eventbridge", Type::eventbridge}};
    const auto found = types.find(name);
    return found == types.end() ? Type::file : found->second;
}

SinkConfig to_sink(const std::string& name, const Json& from) {
    SinkConfig to;
    to.name = name;
    to.type = sink_type_of(text_of(from, "type"));
    to.required = flag_of(from, "required");
    to.url = text_of(from, "url");
    to.path = text_of(from, "path");
    to.ca_file = text_of(from, "ca_file");
    to.token_file = text_of(from, "token_file");
    to.client_certificate = text_of(from, "client_certificate");
    to.client_key = text_of(from, "client_key");
    to.proxy = optional_text_of(from, "proxy");
    to.group = text_of(from, "group");
    to.hook = text_of(from, "hook");
    to.stack = text_of(from, "stack");
    to.resource = text_of(from, "resource");
    to.prefix = text_of(from, "prefix");
    to.queue_url = text_of(from, "queue_url");
    to.bus = text_of(from, "bus");
    to.region = text_of(from, "region");
    to.endpoint = text_of(from, "endpoint");
    to.identity = flag_of(from, "identity");
    return to;
}

OnFailureConfig to_on_failure(const Json& from) {
    const bool poweroff = text_of(from, "action") == "poweroff";
    return {.action = poweroff ? OnFailureConfig::Action::poweroff : OnFailureConfig::Action::none,
            .delay = duration_of(from, "delay")};
}

WatchConfig to_watch(const Json& from) {
    return {.interval = duration_of(from, "interval"),
            .bad = member(from, "bad").get<unsigned>(),
            .of = member(from, "of").get<unsigned>(),
            .heartbeat = duration_of(from, "heartbeat")};
}

} // namespace

const Json& member(const Json& object, const char* name) {
    static const Json none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
}

std::string text_of(const Json& object, const char* name) {
    const auto* text = member(object, name).get_ptr<const std::string*>();
    return text == nullptr ? std::string() : *text;
}

Json with_defaults(const KeyTable& table, const Json& document) {
    return filled(table, table.root(), document);
}

nlohmann::ordered_json in_table_order(const KeyTable& table, const Json& document) {
    return ordered(table, table.root(), document);
}

Config to_config(const Json& document) {
    Config to;
    to.mode = text_of(document, "mode") == "observe" ? Mode::observe : Mode::enforce;
    to.deadline = duration_of(document, "deadline");
    to.metadata = to_metadata(member(document, "metadata"));
    to.ephemeral = to_ephemeral(member(document, "ephemeral"));
    if (const auto& ebs = member(document, "ebs"); ebs.is_object()) {
        to.ebs.emplace();
        for (const auto& [name, volume] : ebs.items()) {
            to.ebs->push_back(to_ebs_volume(name, volume));
        }
    }
    const auto& root = member(document, "root");
    to.root = {to_share(member(root, "min_free")), to_share(member(root, "min_free_inodes")),
               duration_of(root, "io_deadline")};
    for (const auto& [name, check] : member(document, "checks").items()) {
        to.checks.push_back(to_check(name, check));
    }
    const auto& report = member(document, "report");
    to.report.deadline = duration_of(report, "deadline");
    to.on_failure = to_on_failure(member(document, "on_failure"));
    const auto& hold = member(document, "hold");
    to.hold = {.file = text_of(hold, "file"), .tag = text_of(hold, "tag")};
    for (const auto& [name, sink] : member(report, "to").items()) {
        auto& one = to.report.to.emplace_back(to_sink(name, sink));
        one.metadata = to.metadata;
        one.hold = to.hold;
    }
    to.watch = to_watch(member(document, "watch"));
    to.metrics_textfile = optional_text_of(member(document, "metrics"), "textfile");
    return to;
}

} // namespace muster
