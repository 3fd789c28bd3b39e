// What instance metadata says that a request to AWS needs: where we are, and as whom we sign.
#pragma once

#include <optional>
#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/http.h"
#include "probes/instance_values.h"
#include "probes/metadata_service.h"

namespace muster::aws {

struct Place {
    std::string instance_id;
    std::string region; ///< "eu-west-1"
    std::string domain; ///< "amazonaws.com"
};

/// Each thing is asked for once and then kept, in memory only: the root volume may hang by the time
/// it is needed, and metadata fail. One attempt a call; trying again is the courier's. Used by one
/// thread at a time.
class Surroundings {
  public:
    /// `http`: for metadata alone.
    Surroundings(std::unique_ptr<HttpClient> http, Clock& clock, probes::MetadataAccess access);

    [[nodiscard]] Result<Place> place(Deadline deadline);

    /// The role's credentials. Renewed five minutes before they end, when the service has the next
    /// ones ("Retrieve security credentials from instance metadata", in the IAM User Guide); where
    /// that fails, the old ones for as long as they last. `wall`: the time as AWS has it.
    [[nodiscard]] Result<probes::Credentials> credentials(WallTime wall, Deadline deadline);
    /// AWS does not take them any more.
    void forget_credentials() { credentials_.reset(); }

    /// A tag of the instance; `absent` where it has none of that key, or tags are not allowed in
    /// its metadata options.
    [[nodiscard]] Result<std::string> tag(const std::string& key, Deadline deadline);

    /// True where the instance was ever put into an Auto Scaling group. It says nothing of the
    /// state that it is in: that is only the one it is to reach.
    [[nodiscard]] Result<bool> was_scaled(Deadline deadline);

    [[nodiscard]] probes::MetadataService& metadata() { return service_; }

  private:
    [[nodiscard]] Result<std::string> line(const std::string& path, Deadline deadline);
    [[nodiscard]] Result<probes::Credentials> fetch(Deadline deadline);

    std::unique_ptr<HttpClient> http_;
    probes::MetadataService service_;
    std::optional<Place> place_;
    std::optional<probes::Credentials> credentials_;
    WallTime credentials_end_{};
};

} // namespace muster::aws
