// The configuration: design.md part A as C++ values. The table of keys in keys.cpp is the
// one source of names, kinds, defaults and explanations; the checker, `muster config` and
// docs/configuration.md are made from it.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/result.h"
#include "agent/sys/share.h"
#include "lvm/layout.h"

namespace muster {

enum class Mode { enforce, observe };

/// How many ephemeral disks there must be, once the instance type is known.
struct Expectation {
    enum class Kind { any, none, exactly, at_least };
    Kind kind = Kind::any;
    unsigned count = 0;
    friend bool operator==(const Expectation&, const Expectation&) = default;
};

struct ExpectationByType {
    std::map<std::string, Expectation> by_type; ///< instance type -> expectation
    Expectation otherwise;                      ///< for every other type
    [[nodiscard]] Expectation of(const std::string& instance_type) const;
    /// For one type at least no disk is wanted.
    [[nodiscard]] bool may_be_none() const;
};

struct MetadataConfig {
    std::optional<std::string> endpoint; ///< none: the two well-known addresses
    unsigned confirmations = 3;
    Duration absence_span = std::chrono::seconds(5);
    Duration deadline = std::chrono::seconds(150);
    bool imdsv1 = false;
};

struct EphemeralConfig {
    ExpectationByType expect;
    Duration deadline = std::chrono::seconds(60);
    lvm::GroupLayout layout;
    bool writes_allowed = true; ///< false: an unknown key stands under `ephemeral`, so we can't
                                ///< know what the owner wanted and nothing is written
};

struct EbsVolume {
    std::string name;                     ///< the owner's name for it
    std::optional<std::string> device;    ///< "/dev/sdf"
    std::optional<std::string> volume_id; ///< "vol-0123456789abcdef0"
    std::optional<std::uint64_t> min_size;
    Duration deadline = std::chrono::seconds(100);
    std::optional<std::vector<Duration>> polls; ///< none: as was measured (probes/attach_polls.h)
    bool write_probe = false;
};

struct RootConfig {
    Share min_free{5, {}};
    Share min_free_inodes{5, {}};
    Duration io_deadline = std::chrono::seconds(30);
};

/// A program of the owner's that looks for itself.
struct CheckConfig {
    std::string name;                 ///< the owner's name for it
    std::vector<std::string> command; ///< the program, an absolute path, and its arguments
    Duration deadline = std::chrono::seconds(30);
    bool required = true;  ///< its failure keeps the machine from being ready ...
    bool recreate = false; ///< ... and advises a new instance
};

struct HoldConfig {
    std::string file = "/run/muster/hold";
    std::string tag = "muster:hold";
};

struct SinkConfig {
    enum class Type { webhook, file, autoscaling, cloudformation, ec2_tags, sqs, eventbridge };
    std::string name; ///< the owner's name for it
    Type type = Type::file;
    bool required = false;
    std::string url;                ///< webhook
    std::string path;               ///< file
    std::string ca_file;            ///< webhook; "": the system's own store
    std::string token_file;         ///< "": none
    std::string client_certificate; ///< "": none
    std::string client_key;
    std::optional<std::string> proxy; ///< none: as the environment says
    bool identity = false;            ///< webhook: the signed identity document goes along

    // Of those that speak to AWS; "" is found from metadata.
    std::string group, hook;     ///< autoscaling
    std::string stack, resource; ///< cloudformation
    std::string prefix;          ///< ec2-tags: what the tags begin with
    std::string queue_url;       ///< sqs
    std::string bus;             ///< eventbridge
    std::string region, endpoint;
    MetadataConfig metadata; ///< as the whole configuration has it
    HoldConfig hold;         ///< the same

    /// It does something to a machine, and so is given nothing but this boot's latest verdict; the
    /// others record, and get old reports too.
    [[nodiscard]] bool acting() const {
        return type == Type::autoscaling || type == Type::cloudformation || type == Type::ec2_tags;
    }
};

struct ReportConfig {
    Duration deadline = std::chrono::seconds(60);
    std::vector<SinkConfig> to; ///< in the order of their names
};

struct OnFailureConfig {
    enum class Action { none, poweroff };
    Action action = Action::none;
    Duration delay = std::chrono::seconds(60);
};

struct WatchConfig {
    Duration interval = std::chrono::seconds(30);
    unsigned bad = 3; ///< so many bad looks ...
    unsigned of = 5;  ///< ... of the last so many mean degraded
    Duration heartbeat = std::chrono::minutes(5);
};

struct Config {
    Mode mode = Mode::enforce;
    Duration deadline = std::chrono::seconds(300);
    MetadataConfig metadata;
    EphemeralConfig ephemeral;
    /// None: every confirmed ebsN mapping is expected. By name.
    std::optional<std::vector<EbsVolume>> ebs;
    RootConfig root;
    std::vector<CheckConfig> checks; ///< in the order of their names
    ReportConfig report;
    OnFailureConfig on_failure;
    HoldConfig hold;
    WatchConfig watch;
    std::optional<std::string> metrics_textfile; ///< none: no numbers are written
};

/// One thing wrong with the configuration.
struct Mistake {
    std::string file; ///< as found: "/etc/muster/conf.d/10-disks.json"
    std::string key;  ///< "ephemeral.volumes.scratch.size"; "line 3, column 7" for a syntax mistake
    std::string problem; ///< what was found and what was expected, for a person
    bool unknown_key = false;
    /// "FILE: KEY: PROBLEM"
    [[nodiscard]] std::string text() const;
};

/// One configuration file, in the order in which they are merged.
struct ConfigLayer {
    std::string file;
    std::string text;
};

struct LoadedConfig {
    /// All layers, when `mistakes` holds nothing but unknown keys; else of the layers before the
    /// first one that is wrong, with that one's `mode` and the sinks that it adds, as far as no
    /// mistake is in these, so that the mistake can be reported where they say.
    Config config;
    nlohmann::ordered_json effective; ///< what `config` was made of: defaults and layers merged
    std::vector<Mistake> mistakes;
    /// Nothing wrong but, at most, unknown keys.
    [[nodiscard]] bool valid() const;
};

/// Merges (RFC 7396) and checks. Pure. Every mistake of every layer is found, not just the first.
[[nodiscard]] LoadedConfig load_config(const std::vector<ConfigLayer>& layers);

/// The layers of a machine: /etc/muster/muster.json, /etc/muster/conf.d/*.json,
/// /run/muster/conf.d/*.json (by name), or just `explicit_files` where some were named. A file of
/// the default search that is absent is no mistake; one that was named, or can't be read, is.
[[nodiscard]] Result<std::vector<ConfigLayer>>
find_config_layers(const Files& files, const std::vector<std::string>& explicit_files);

/// The same, with the layers before the one that can't be read, which may say where to report.
struct FoundLayers {
    std::vector<ConfigLayer> layers;
    std::string unread; ///< the file or folder that can't be read
    std::optional<Error> error;
};
[[nodiscard]] FoundLayers read_config_layers(const Files& files,
                                             const std::vector<std::string>& explicit_files);

/// docs/configuration.md, made from the table of keys.
[[nodiscard]] std::string config_reference();

/// docs/config.schema.json, from the same table: names and JSON types, draft 7.
[[nodiscard]] std::string config_schema();

} // namespace muster
