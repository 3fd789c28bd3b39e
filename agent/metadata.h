// The metadata stage of the boot job: who we are and what we were promised, confirmed.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "agent/config/config.h"
#include "agent/record.h"
#include "agent/world.h"
#include "probes/instance_values.h"
#include "probes/metadata.h"
#include "probes/notices.h"

namespace muster {

/// Holds the service, and with it the token and the one connection, for as long as there is
/// something to ask.
class MetadataStage {
  public:
    MetadataStage(const World& world, const Config& config, Progress& progress);

    /// Reads identity and mapping until they are confirmed. Where they can't be, that is a finding
    /// and nothing is known.
    [[nodiscard]] std::optional<probes::KnownMetadata> confirm(Deadline deadline);

    /// One more look before anything is written: a lie that lasted just long enough to be confirmed
    /// is over by then, or never will be. False where another value was confirmed since, which is a
    /// finding; an empty answer, or none, says nothing against what is known.
    [[nodiscard]] bool still_says(const probes::KnownMetadata& known, Deadline deadline);

    /// Everything else that the service has, for a person; takes `absence_span` for what is absent.
    [[nodiscard]] std::vector<probes::InstanceValue> all_values(Deadline deadline);

    /// What the platform announces just now; a failure is the caller's to tell.
    [[nodiscard]] probes::NoticeLook announcements(Deadline deadline);

    [[nodiscard]] const probes::MetadataService& service() const { return service_; }
    /// How `confirm` reached what it found.
    [[nodiscard]] const probes::Metadata& answers() const { return answers_; }

  private:
    [[nodiscard]] probes::MetadataRules rules() const;
    [[nodiscard]] probes::WaitNotice notices();
    /// Time enough to confirm the most doubtful answer, and for the service to fail meanwhile.
    [[nodiscard]] Deadline while_in_doubt(Deadline deadline) const;

    const World& world_;
    const Config& config_;
    Progress& progress_;
    probes::MetadataService service_;
    probes::Metadata answers_;
};

/// Where the service is, as the configuration says.
[[nodiscard]] probes::MetadataAccess metadata_access(const MetadataConfig& config);

/// As printed and reported: {"instance_id": ...}.
[[nodiscard]] nlohmann::json shown(const probes::Identity& identity);
[[nodiscard]] nlohmann::json shown(const probes::Mapping& mapping);

} // namespace muster
