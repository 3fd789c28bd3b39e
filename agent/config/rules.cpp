#include "agent/config/rules.h"

#include <algorithm>
#include <map>

#include "agent/config/expect.h"
#include "agent/config/units.h"
#include "agent/config/values.h"

namespace muster {

namespace {

using Broken = std::vector<BrokenRule>;

std::string in_quotes(const std::string& text) {
    return '"' + text + '"';
}

void check_deadlines(const KeyTable& table, const Json& document, Broken& broken) {
    const auto& report = *table.find(table.root(), "report");
    const auto& whole = member(document, "deadline");
    const auto& delivery = member(member(document, "report"), "deadline");
    if (table.find(table.root(), "deadline")->kind.check(whole) ||
        table.find(report, "deadline")->kind.check(delivery)) {
        return;
    }
    if (parse_duration(delivery.get<std::string>()) >= parse_duration(whole.get<std::string>())) {
        broken.push_back({"report.deadline", "found " + to_shown(delivery) +
                                                 ", expected less than `deadline`, which is " +
                                                 to_shown(whole)});
    }
}

void check_watch(const KeyTable& table, const Json& watch, Broken& broken) {
    const auto& section = *table.find(table.root(), "watch");
    const auto& bad = member(watch, "bad");
    const auto& of = member(watch, "of");
    if (table.find(section, "bad")->kind.check(bad) || table.find(section, "of")->kind.check(of)) {
        return;
    }
    if (bad.get<unsigned>() > of.get<unsigned>()) {
        // Nothing could ever be degraded.
        broken.push_back(
            {"watch.bad",
             "found " + to_shown(bad) + ", expected at most `watch.of`, which is " + to_shown(of)});
    }
}

/// Two layers may each be right and yet give something without a sense: {"min": 2} over
/// {"by_type": ...}.
void check_expectation(const KeyTable& table, const Json& ephemeral, Broken& broken) {
    const auto& expect = member(ephemeral, "expect");
    if (!parse_expectation(expect)) {
        const auto& section = *table.find(table.root(), "ephemeral");
        broken.push_back({"ephemeral.expect", "found " + to_shown(expect) +
                                                  " once merged, expected " +
                                                  table.find(section, "expect")->kind.expected});
    }
}

void check_volume(const std::string& group, const std::string& name, const Json& volume,
                  Broken& broken) {
    const auto key = step_into("ephemeral.volumes", name);
    const auto filesystem = text_of(volume, "filesystem");
    const auto& mount = member(volume, "mount");
    if (mapper_name_length(group, name) > kMapperNameLimit) {
        broken.push_back({key,
                          "found a name that makes more than 127 characters together with "
                          "the volume group's (a hyphen counts twice), expected a shorter one"});
    }
    if (filesystem == "none" && !mount.is_null()) {
        broken.push_back({key + ".mount", "found " + to_shown(mount) +
                                              ", expected null, since `filesystem` is \"none\""});
    }
    if ((filesystem == "xfs" || filesystem == "ext4") && mount.is_null()) {
        broken.push_back({key + ".mount", "found nothing, expected a mount point such as "
                                          "\"/mnt/scratch\", since there is a filesystem"});
    }
    constexpr std::uint64_t kLeastXfs = 300ULL << 20;
    const auto size = parse_size(text_of(volume, "size"));
    if (filesystem == "xfs" && size && *size < kLeastXfs) {
        broken.push_back({key + ".size", "found " + to_shown(member(volume, "size")) +
                                             ", expected at least 300MiB, the least for xfs"});
    }
}

void check_shares(const Json& volumes, Broken& broken) {
    unsigned together = 0;
    bool has_amounts = false;
    for (const auto& volume : volumes) {
        const auto size = text_of(volume, "size");
        together += parse_whole_percent(size).value_or(0);
        has_amounts = has_amounts || parse_size(size);
    }
    if (together > 100) {
        broken.push_back({"ephemeral.volumes", "found shares of " + std::to_string(together) +
                                                   "% together, expected at most 100%"});
    } else if (together == 100 && has_amounts) {
        // No machine could ever be assembled so, and each would be recreated for it.
        broken.push_back({"ephemeral.volumes", "found shares of 100% together and volumes of a "
                                               "fixed size besides, expected shares that leave "
                                               "room for these"});
    }
}

/// No volume at or beneath another's mount point: the later mount would hide the earlier.
void check_mounts(const Json& volumes, Broken& broken) {
    std::map<std::string, std::string> mounts; // path -> name
    for (const auto& [name, volume] : volumes.items()) {
        const auto mount = text_of(volume, "mount");
        const auto other = std::ranges::find_if(mounts, [&](const auto& earlier) {
            return is_within(mount, earlier.first) || is_within(earlier.first, mount);
        });
        if (mount.empty()) {
            continue;
        }
        if (other != mounts.end()) {
            broken.push_back({step_into("ephemeral.volumes", name) + ".mount",
                              "found " + to_shown(mount) + ", expected a mount point apart from " +
                                  in_quotes(other->first) + " of the volume " +
                                  in_quotes(other->second)});
        }
        mounts.emplace(mount, name);
    }
}

void check_ephemeral(const KeyTable& table, const Json& ephemeral, Broken& broken) {
    check_expectation(table, ephemeral, broken);
    const auto& volumes = member(ephemeral, "volumes");
    if (!volumes.is_object()) {
        return;
    }
    for (const auto& [name, volume] : volumes.items()) {
        if (volume.is_object()) {
            check_volume(text_of(ephemeral, "volume_group"), name, volume, broken);
        }
    }
    check_shares(volumes, broken);
    check_mounts(volumes, broken);
}

void check_ebs(const Json& ebs, Broken& broken) {
    std::map<std::string, std::string> taken; // device or id -> name
    const auto claim = [&](const std::string& name, const char* key, const std::string& what) {
        const auto [other, is_first] = taken.emplace(what, name);
        if (!what.empty() && !is_first) {
            broken.push_back({step_into("ebs", name) + "." + key,
                              "found " + to_shown(what) + ", expected one that is not that of " +
                                  in_quotes(other->second)});
        }
    };
    for (const auto& [name, volume] : ebs.items()) {
        if (!volume.is_object()) {
            continue;
        }
        if (member(volume, "device").is_null() && member(volume, "volume_id").is_null()) {
            broken.push_back({step_into("ebs", name),
                              "found neither `device` nor `volume_id`, expected one of them"});
        }
        claim(name, "device", text_of(volume, "device"));
        claim(name, "volume_id", normal_volume_id(text_of(volume, "volume_id")).value_or(""));
    }
}

void check_checks(const KeyTable& table, const Json& checks, Broken& broken) {
    const auto& entry = *table.find(*table.find(table.root(), "checks"), "*");
    for (const auto& [name, check] : checks.items()) {
        if (check.is_object() && member(check, "command").is_null()) {
            broken.push_back(
                {step_into("checks", name) + ".command",
                 "found nothing, expected " + table.find(entry, "command")->kind.expected});
        }
    }
}

std::string listed(const std::vector<std::string>& types) {
    std::string list;
    for (const auto& type : types) {
        list += (list.empty() ? "" : ", ") + in_quotes(type);
    }
    return list;
}

/// Every key fits the sink's type, and those that the type needs are there.
void check_sink_keys(const KeyTable& table, const Key& entry, const std::string& path,
                     const Json& sink, Broken& broken) {
    const auto type = text_of(sink, "type");
    if (member(sink, "type").is_null()) {
        broken.push_back({path + ".type",
                          "found nothing, expected " + table.find(entry, "type")->kind.expected});
    }
    if (type.empty() || table.find(entry, "type")->kind.check(type)) {
        return;
    }
    for (const Key* key : table.below(entry)) {
        const std::string name(key->name());
        const bool is_ours = std::ranges::find(key->sinks, type) != key->sinks.end();
        if (!key->sinks.empty() && !is_ours && sink.contains(name)) {
            broken.push_back({path + "." + name, "found a key of type " + listed(key->sinks) +
                                                     ", but the type of this sink is " +
                                                     in_quotes(type) + "; null takes it away"});
        }
        if (is_ours && key->preset.empty() && !sink.contains(name)) {
            broken.push_back({path + "." + name, "found nothing, expected " + key->kind.expected +
                                                     ", since `type` is " + in_quotes(type)});
        }
    }
}

void check_webhook(const std::string& path, const Json& sink, Broken& broken) {
    const bool is_plain = text_of(sink, "url").starts_with("http://");
    for (const char* name : {"ca_file", "client_certificate", "client_key"}) {
        if (is_plain && !member(sink, name).is_null()) {
            broken.push_back({path + "." + name, "found a key of https, but `url` is http://"});
        }
    }
    if (is_plain && member(sink, "identity") == true) {
        broken.push_back({path + ".identity", "found true, expected false, since `url` is http://: "
                                              "whoever reads it there can pass for the instance"});
    }
    const bool has_certificate = !member(sink, "client_certificate").is_null();
    if (has_certificate != !member(sink, "client_key").is_null()) {
        const auto* missing = has_certificate ? "client_key" : "client_certificate";
        const auto* given = has_certificate ? "client_certificate" : "client_key";
        broken.push_back({path + "." + missing, "found nothing, expected a path, since `" +
                                                    std::string(given) + "` is set"});
    }
}

void check_sinks(const KeyTable& table, const Json& sinks, Broken& broken) {
    const auto& report = *table.find(table.root(), "report");
    const auto& entry = *table.find(*table.find(report, "to"), "*");
    std::map<std::string, std::string> files; // path -> name
    for (const auto& [name, sink] : sinks.items()) {
        if (!sink.is_object()) {
            continue;
        }
        const auto path = step_into("report.to", name);
        check_sink_keys(table, entry, path, sink, broken);
        if (text_of(sink, "type") == "webhook") {
            check_webhook(path, sink, broken);
        }
        const auto file = text_of(sink, "path");
        if (const auto [other, is_first] = files.emplace(file, name); !file.empty() && !is_first) {
            broken.push_back({path + ".path", "found " + to_shown(file) +
                                                  ", expected another file than that of " +
                                                  in_quotes(other->second)});
        }
    }
}

} // namespace

std::vector<BrokenRule> broken_rules(const KeyTable& table, const Json& document) {
    Broken broken;
    check_deadlines(table, document, broken);
    check_watch(table, member(document, "watch"), broken);
    check_ephemeral(table, member(document, "ephemeral"), broken);
    if (const auto& ebs = member(document, "ebs"); ebs.is_object()) {
        check_ebs(ebs, broken);
    }
    if (const auto& checks = member(document, "checks"); checks.is_object()) {
        check_checks(table, checks, broken);
    }
    const auto& sinks = member(member(document, "report"), "to");
    if (sinks.is_object()) {
        check_sinks(table, sinks, broken);
    }
    return broken;
}

} // namespace muster
