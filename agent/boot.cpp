#include "agent/boot.h"

#include "agent/metadata.h"
#include "agent/stages.h"

namespace muster {

void boot(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    // What needs nobody's answer goes on beside the rest.
    auto root = world.clock.start("root", [&] { check_root(world, config, progress, deadline); });
    lvm::Scout scout(machine_of(world), deadline);
    auto ahead = world.clock.start("look ahead", [&] { look_ahead(world, config, scout); });

    // Without confirmed metadata nothing is written: who we are is part of the proof.
    MetadataStage metadata(world, config, progress);
    if (const auto known = metadata.confirm(deadline)) {
        // A volume can take minutes to attach; the disks are joined meanwhile.
        const bool writes = config.mode == Mode::enforce;
        auto ebs = world.clock.start(
            "ebs", [&] { check_ebs(world, config, known->mapping, writes, progress, deadline); });

        world.clock.wait(*ahead);
        const auto planned = plan_storage(world, config, *known, scout, progress, deadline);
        if (planned && metadata.still_says(*known, deadline))
            apply_plan(world, config, planned->plan, progress, deadline);
        world.clock.wait(*ebs);
    }
    world.clock.wait(*root);

    // The owner's checks look at a finished machine. On one that is not, they would fail for what
    // is known already, and their failure (or their advice) could hide it.
    if (const auto obstacle = progress.obstacle()) {
        skip_checks(world, config, *obstacle, progress, deadline);
    } else {
        // Who needs no more than the disks need not wait for the checks, which may well look at
        // him.
        progress.storage_ready();
        run_checks(world, config, progress, deadline);
    }
    progress.finished();
}

} // namespace muster
