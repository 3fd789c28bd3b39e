// What is known of this boot so far.
//
// The boot job runs in a process of its own and tells what it does as it does it; whoever listens
// adds it up here. So if the job hangs or dies, all that it had found by then is in the report.
#pragma once

#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "probes/finding.h"
#include "probes/metadata.h"
#include "probes/wait.h"

namespace muster {

struct Instance {
    std::string id; ///< "" where neither metadata nor the firmware told
    std::string type, region, zone, account, image;
    std::string source; ///< "metadata", "dmi", or "" where unknown
};

struct Stage {
    std::string name;
    double start = 0; ///< seconds from the agent's start
    std::optional<double> end;
    std::string error; ///< "" unless it failed
};

/// What is being waited for just now, for whoever watches.
struct Waiting {
    std::string what;
    double until = 0; ///< seconds from the agent's start
};

struct Record {
    Instance instance;
    std::vector<probes::Finding> findings;
    nlohmann::json storage = nlohmann::json::object();
    std::vector<Stage> timings;
    std::vector<probes::Wait> waits;
    probes::MetadataCounters metadata;
    std::optional<Waiting> waiting;
    /// Every instance-store disk is proved blank, or ours with no finished volume; or this machine
    /// has none.
    bool without_data = false;
    bool storage_ready = false; ///< disks and volumes are assembled, probed and well
    bool finished = false;      ///< the boot job came to its end

    /// Adds one event. An event that can't be understood is a mistake of ours and is passed over:
    /// the report must go out all the same.
    void add(const nlohmann::json& event);
};

/// The event as one message of at most `most` bytes. A finding that is longer loses its evidence
/// and the end of its message; of another event stays only that there was one.
[[nodiscard]] std::string encoded(const nlohmann::json& event, std::size_t most);

/// How the boot job tells. May be used from several threads.
class Progress {
  public:
    using Emit = std::function<void(const nlohmann::json&)>;
    Progress(const Clock& clock, Instant start, Emit emit)
        : clock_(clock), start_(start), emit_(std::move(emit)) {}

    void begin(const std::string& stage);
    void end(const std::string& stage, const std::string& error = "");
    void finding(const probes::Finding& finding);
    void wait(const probes::Wait& wait);
    void waiting(std::string_view what, Instant until);
    void instance(const Instance& instance);
    void metadata(const probes::MetadataCounters& counters);
    void storage(const nlohmann::json& storage);
    /// Whether a new instance would lose nothing of what is on the disks; before it is told,
    /// and where it is told to be false, that is not proved.
    void without_data(bool proved);
    void storage_ready();
    void finished();

    /// The first gating finding so far that is no pass, as "ebs data (ebs-missing)"; none: all is
    /// well up to here.
    [[nodiscard]] std::optional<std::string> obstacle() const;

  private:
    void emit(nlohmann::json event);

    const Clock& clock_;
    Instant start_;
    Emit emit_;
    mutable std::mutex mutex_;
    std::optional<std::string> obstacle_;
};

/// A stage from here to the end of the block.
class StageScope {
  public:
    StageScope(Progress& progress, std::string name) : progress_(progress), name_(std::move(name)) {
        progress_.begin(name_);
    }
    StageScope(const StageScope&) = delete;
    StageScope& operator=(const StageScope&) = delete;
    ~StageScope() { progress_.end(name_); }

  private:
    Progress& progress_;
    std::string name_;
};

} // namespace muster
