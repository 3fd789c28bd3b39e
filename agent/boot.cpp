#include "agent/boot.h"

#include "agent/metadata.h"
#include "agent/stages.h"

namespace muster {

void boot(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    // What needs nobody's answer goes on beside the rest.
    auto root = world.clock.start("root", [&] { check_root(world, config, progress, deadline); });

    // Without confirmed metadata nothing is written: who we are is part of the proof.
    MetadataStage metadata(world, config, progress);
    if (const auto known = metadata.confirm(deadline)) {
        // A volume can take minutes to attach; the disks are joined meanwhile.
        auto ebs = world.clock.start(
            "ebs", [&] { check_ebs(world, config, known->mapping, progress, deadline); });

        const auto planned = plan_storage(world, config, *known, progress, deadline);
        if (planned && metadata.still_says(*known, deadline))
            apply_plan(world, config, planned->plan, progress, deadline);
        world.clock.wait(*ebs);
    }
    world.clock.wait(*root);
    progress.finished();
}

} // namespace muster
