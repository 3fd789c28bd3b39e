#include "agent/metadata.h"

#include <fmt/format.h>
#include <random>

#include "agent/sys/json_text.h"
#include "probes/witnesses.h"

namespace muster {
namespace {

using probes::Answer;
using probes::Finding;
using Json = nlohmann::json;

constexpr const char* identity_name = "identity";
constexpr const char* mapping_name = "block-device-mapping";

std::uint64_t seed() {
    return std::random_device{}();
}

template <class T>
Json evidence(const Answer<T>& answer) {
    Json json = {{"readings", answer.readings},
                 {"disagreements", answer.disagreements},
                 {"first_seconds", answer.first},
                 {"last_seconds", answer.last}};
    if (answer.seen.size() > 1) {
        for (const auto& value : answer.seen)
            json["seen"].push_back(shown(value));
    }
    if (!answer.contradiction.empty()) json["contradiction"] = answer.contradiction;
    return json;
}

template <class T>
Finding judged(const char* subject, const Answer<T>& answer) {
    const auto failed = [&](const char* code, const std::string& message) {
        return probes::failed("metadata", subject, code, message);
    };
    if (!answer.value) {
        return answer.seen.size() > 1
                   ? failed("metadata-unstable",
                            fmt::format("{} different answers, and none of them lasted: {}",
                                        answer.seen.size(), answer.value.error().message))
                   : failed("metadata-unavailable", answer.value.error().message);
    }
    if (answer.get() == nullptr) {
        return failed("metadata-unavailable", fmt::format("{}: confirmed to be absent", subject));
    }
    return probes::pass("metadata", subject,
                        answer.contradiction.empty()
                            ? "confirmed"
                            : "confirmed, though the kernel differs: " + answer.contradiction);
}

template <class T>
Finding finding(const char* subject, const Answer<T>& answer) {
    auto finding = judged(subject, answer);
    finding.evidence = evidence(answer);
    return finding;
}

/// The firmware and the service will not agree: whose disks these are can't be told.
Finding identity_finding(const Answer<probes::Identity>& answer) {
    auto found = finding(identity_name, answer);
    if (answer.get() != nullptr && !answer.contradiction.empty()) {
        found = probes::failed("metadata", identity_name, "metadata-unstable",
                               "the identity document belongs to another instance: " +
                                   answer.contradiction);
        found.evidence = evidence(answer);
    }
    return found;
}

/// "confirmed as {...}, later {...}", where that is so.
template <class T>
std::optional<Finding> changed(const char* subject, const Answer<T>& answer, const T& known) {
    const bool differs = answer.get() != nullptr && *answer.get() != known;
    const bool undecided = !answer.value && answer.seen.size() > 1;
    if (!differs && !undecided) return std::nullopt;
    auto changed = probes::failed(
        "metadata", subject, "metadata-unstable",
        fmt::format("it was confirmed as {}, and later {}", to_text(shown(known)),
                    differs ? "as " + to_text(shown(*answer.get())) : "answers differed"));
    changed.evidence = evidence(answer);
    return changed;
}

} // namespace

probes::MetadataAccess metadata_access(const MetadataConfig& config) {
    auto access = probes::well_known_access();
    if (config.endpoint) access = {.endpoint = *config.endpoint};
    access.imdsv1 = config.imdsv1;
    return access;
}

MetadataStage::MetadataStage(const World& world, const Config& config, Progress& progress)
    : world_(world), config_(config), progress_(progress),
      service_(world.metadata_http, world.clock, metadata_access(config.metadata)) {}

probes::MetadataRules MetadataStage::rules() const {
    return {.confirmations = config_.metadata.confirmations,
            .absence_span = config_.metadata.absence_span};
}

probes::WaitNotice MetadataStage::notices() {
    return [this](std::string_view what, Instant until) { progress_.waiting(what, until); };
}

Deadline MetadataStage::while_in_doubt(Deadline deadline) const {
    return deadline.clipped(world_.clock,
                            4 * config_.metadata.absence_span + std::chrono::seconds(2));
}

std::optional<probes::KnownMetadata> MetadataStage::confirm(Deadline deadline) {
    StageScope stage(progress_, "metadata");
    const Instant start = world_.clock.now();
    answers_ = probes::read_metadata(
        service_, world_.clock, rules(), deadline.clipped(world_.clock, config_.metadata.deadline),
        seed(), notices(), probes::kernel_witnesses(world_.files, world_.kernel));

    const auto about_identity = identity_finding(answers_.identity);
    progress_.metadata(service_.counters());
    progress_.finding(about_identity);
    progress_.finding(finding(mapping_name, answers_.mapping));
    const auto* identity =
        about_identity.status == probes::Status::pass ? answers_.identity.get() : nullptr;
    const auto* mapping = answers_.mapping.get();
    const bool found = identity != nullptr && mapping != nullptr;
    progress_.wait({.what = "metadata",
                    .seconds = seconds(world_.clock.now() - start),
                    .polls = service_.counters().requests,
                    .outcome = found ? "found" : "gave up"});
    if (identity != nullptr) {
        progress_.instance({.id = identity->instance_id,
                            .type = identity->instance_type,
                            .region = identity->region,
                            .zone = identity->zone,
                            .account = identity->account,
                            .image = identity->image,
                            .source = "metadata"});
    }
    if (!found) return std::nullopt;
    return probes::KnownMetadata{*identity, *mapping};
}

bool MetadataStage::still_says(const probes::KnownMetadata& known, Deadline deadline) {
    StageScope stage(progress_, "metadata again");
    const auto metadata = probes::read_metadata(
        service_, world_.clock, rules(), while_in_doubt(deadline), seed(), notices(), {}, known);
    progress_.metadata(service_.counters());
    const auto findings = {changed(identity_name, metadata.identity, known.identity),
                           changed(mapping_name, metadata.mapping, known.mapping)};
    bool same = true;
    for (const auto& finding : findings) {
        if (!finding) continue;
        progress_.finding(*finding);
        same = false;
    }
    return same;
}

std::vector<probes::InstanceValue> MetadataStage::all_values(Deadline deadline) {
    auto values = probes::read_instance_values(service_, world_.clock, rules(),
                                               while_in_doubt(deadline), seed(), notices());
    progress_.metadata(service_.counters());
    return values;
}

probes::NoticeLook MetadataStage::announcements(Deadline deadline) {
    return probes::read_notices(service_, deadline);
}

Json shown(const probes::Identity& identity) {
    return {{"instance_id", identity.instance_id},
            {"instance_type", identity.instance_type},
            {"image", identity.image},
            {"account", identity.account},
            {"region", identity.region},
            {"zone", identity.zone}};
}

Json shown(const probes::Mapping& mapping) {
    return mapping;
}

} // namespace muster
