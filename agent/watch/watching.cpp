#include "agent/watch/watching.h"

#include "agent/delivery/letterhead.h"
#include "agent/metadata.h"
#include "agent/stages.h"
#include "agent/sys/log.h"
#include "probes/ebs.h"

namespace muster {
namespace {

// What a healthy service takes twice over, where its answer is doubtful.
constexpr Duration confirm_limit = std::chrono::seconds(30);
constexpr Duration notices_limit = std::chrono::seconds(10);

/// Whoever watches does not wait for a volume to be attached: it is there, or the look is bad.
std::vector<EbsVolume> volumes_now(const Config& config,
                                   const std::optional<probes::KnownMetadata>& known) {
    std::vector<EbsVolume> volumes;
    if (config.ebs) {
        volumes = *config.ebs;
    } else if (known) {
        for (const auto& volume : probes::volumes_of(known->mapping))
            volumes.push_back({.name = volume.name, .device = volume.device});
    }
    for (auto& volume : volumes)
        volume.deadline = Duration::zero();
    return volumes;
}

/// One look at the machine itself. The one place that says which probes `watch` uses: they must not
/// write, and must not have more than one helper at a device.
void probe(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    // Side by side: what hangs takes the time of one.
    const auto room =
        world.clock.start("root", [&] { check_root(world, config, progress, deadline); });
    const auto io =
        world.clock.start("root io", [&] { look_at_root(world, config, progress, deadline); });
    check_ebs(world, config, {}, false, progress, deadline);
    world.clock.wait(*room);
    world.clock.wait(*io);
}

class RealEyes : public Eyes {
  public:
    explicit RealEyes(const World& world)
        : world_(world), instance_(record_by_firmware(world_.files).instance),
          progress_(world_.clock, world_.clock.now(),
                    [this](const nlohmann::json& event) { record_.add(event); }) {}

    void follow(const Config& config) override {
        config_ = config;
        requests_before_ += metadata_->service().counters().requests;
        metadata_ = std::make_unique<MetadataStage>(world_, config_, progress_);
    }

    [[nodiscard]] Sight look(Deadline deadline) override {
        Sight sight;
        ask_metadata(sight, deadline);
        record_ = {}; // nothing is gathered over the years
        auto config = config_;
        config.ebs = volumes_now(config_, known_);
        probe(world_, config, progress_, deadline);
        sight.findings = std::move(record_.findings);
        sight.instance = instance_;
        return sight;
    }

  private:
    /// One failing service costs one request a look, and is no reason to look at nothing else.
    void ask_metadata(Sight& sight, Deadline deadline) {
        auto announced = metadata_->announcements(deadline.clipped(world_.clock, notices_limit));
        sight.notices = std::move(announced.notices);
        sight.metadata_error = std::move(announced.error);
        // Who we are is fixed at launch: once it is confirmed it is kept.
        if (!known_ && !sight.metadata_error) confirm(sight, deadline);
        sight.metadata_requests = requests_before_ + metadata_->service().counters().requests;
    }

    void confirm(Sight& sight, Deadline deadline) {
        known_ = metadata_->confirm(deadline.clipped(world_.clock, confirm_limit));
        if (known_) {
            instance_ = record_.instance;
        } else {
            sight.metadata_error = {Errc::conflict, "identity and mapping can't be confirmed"};
        }
    }

    World world_;
    Config config_;
    Instance instance_;
    Record record_;
    Progress progress_;
    /// With its token; made anew for each configuration.
    std::unique_ptr<MetadataStage> metadata_ =
        std::make_unique<MetadataStage>(world_, config_, progress_);
    unsigned requests_before_ = 0;
    std::optional<probes::KnownMetadata> known_;
};

} // namespace

std::unique_ptr<Eyes> make_eyes(const World& world) {
    return std::make_unique<RealEyes>(world);
}

std::unique_ptr<Eyes> make_real_eyes(RealWorld& real) {
    return make_eyes(real.world());
}

} // namespace muster
