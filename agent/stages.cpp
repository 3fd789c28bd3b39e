#include "agent/stages.h"

#include <algorithm>
#include <functional>

#include "agent/disks.h"
#include "agent/sys/lock.h"
#include "lvm/survey.h"
#include "probes/block_devices.h"
#include "probes/ebs.h"
#include "probes/ephemeral.h"
#include "probes/kernel_evidence.h"
#include "probes/root_io.h"
#include "probes/root_volume.h"

namespace muster {
namespace {

probes::WaitNotice notices(Progress& progress) {
    return [&progress](std::string_view what, Instant until) { progress.waiting(what, until); };
}

} // namespace

void check_root(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    StageScope stage(progress, "root");
    const auto findings = probes::probe_root(world.files, world.kernel, world.clock,
                                             {.min_free = config.root.min_free,
                                              .min_free_inodes = config.root.min_free_inodes,
                                              .io_deadline = config.root.io_deadline},
                                             deadline);
    for (const auto& finding : findings)
        progress.finding(finding);
}

void look_at_root(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    probes::RootIo root(world.files, world.kernel, world.clock, config.root.io_deadline, false);
    progress.finding(root.finish(deadline));
}

void look_at_kernel(const World& world, Progress& progress) {
    for (const auto& finding : probes::kernel_evidence(world.files, world.kernel))
        progress.finding(finding);
}

void check_ebs(const World& world, const Config& config, const probes::Mapping& mapping,
               bool writes, Progress& progress, Deadline deadline) {
    std::vector<probes::ExpectedVolume> expected = probes::volumes_of(mapping);
    if (config.ebs) {
        expected.clear();
        for (const auto& volume : *config.ebs) {
            expected.push_back({.name = volume.name,
                                .device = volume.device,
                                .volume_id = volume.volume_id,
                                .min_size = volume.min_size,
                                .deadline = volume.deadline,
                                .write_probe = writes && volume.write_probe,
                                .polls = volume.polls});
        }
    }
    if (expected.empty()) return;
    StageScope stage(progress, "ebs");
    const auto reports =
        probes::probe_volumes(world.files, world.kernel, world.clock, expected,
                              config.root.io_deadline, deadline, notices(progress));
    for (const auto& [finding, wait] : reports) {
        progress.finding(finding);
        progress.wait(wait);
    }
}

namespace {

/// By its own word; what the metadata say of others is still to be confirmed.
bool is_ephemeral(const Disk& disk) {
    return disk.model == probes::instance_store_model;
}

/// Of a Xen disk only the metadata can tell.
bool may_be_ephemeral(const Disk& disk) {
    return is_ephemeral(disk) ||
           (disk.model.empty() && disk.mounts.empty() && probes::may_be_mapped(disk));
}

/// A run before this one may have been killed in the middle of an mkfs that still goes on.
bool disks_are_quiet(const World& world, const Config& config, Progress& progress,
                     Deadline deadline) {
    const auto quiet =
        Lock::wait_until_free(world.files.real(world.disk_lock).string(), world.clock,
                              deadline.clipped(world.clock, config.ephemeral.deadline));
    if (quiet) return true;
    const auto& [code, message] = quiet.error();
    progress.finding(
        code == Errc::stuck
            ? probes::failed("ephemeral", "disks", "ephemeral-stuck",
                             "a command of an earlier run still writes to the disks: " + message)
            : probes::unknown("ephemeral", "disks",
                              "whether a command of an earlier run still writes to the disks "
                              "can't be told: " +
                                  message));
    return false;
}

std::optional<lvm::Plan> plan_for(const World& world, const Config& config, lvm::Scout& scout,
                                  const lvm::Inventory& disks, const std::string& instance_id,
                                  bool may_be_late, Progress& progress, Deadline deadline) {
    StageScope stage(progress, "plan");
    if (!disks_are_quiet(world, config, progress, deadline)) return std::nullopt;
    auto situation = lvm::survey(machine_of(world), scout, disks, config.ephemeral.layout,
                                 instance_id, deadline);
    if (!situation) {
        const auto& [reason, message] = situation.error();
        progress.finding(reason == "cannot-tell"
                             ? probes::unknown("ephemeral", "disks", message)
                             : probes::failed("ephemeral", "disks", reason, message));
        return std::nullopt;
    }
    situation->may_be_late = may_be_late;
    return lvm::make_plan(*situation);
}

} // namespace

bool nobody_writes(const World& world) {
    return Lock::wait_until_free(world.files.real(world.disk_lock).string(), world.clock,
                                 {world.clock.now()})
        .has_value();
}

void look_ahead(const World& world, const Config& config, lvm::Scout& scout) {
    // Where they may be none of ours they are left alone until that is known.
    if (config.ephemeral.expect.may_be_none() || !nobody_writes(world)) return;
    auto disks = probes::read_disks(world.files, world.kernel);
    if (!disks || std::ranges::none_of(*disks, may_be_ephemeral)) return;
    std::erase_if(*disks, std::not_fn(is_ephemeral));
    scout.begin(*disks);
}

std::optional<PlannedDisks> plan_storage(const World& world, const Config& config,
                                         const probes::KnownMetadata& known, lvm::Scout& scout,
                                         Progress& progress, Deadline deadline) {
    DiskWait wait(world, config, known, progress, deadline);
    while (true) {
        const auto disks = [&] {
            StageScope stage(progress, "disks");
            return wait.until_whole();
        }();
        if (!disks) return std::nullopt;
        const bool none = disks->ephemeral.empty();
        if (none) progress.without_data(wait.sees_none());
        auto plan = plan_for(world, config, scout, *disks, known.identity.instance_id,
                             !wait.is_over(), progress, deadline);
        if (!plan) return std::nullopt;
        if (!none) progress.without_data(plan->without_data);
        if (!plan->wait_for_more) return PlannedDisks{disks->ephemeral, std::move(*plan)};
        // As many as expected, and not the ones that our group was made of.
        StageScope stage(progress, "late disks");
        wait.until_changed(plan->refusals.front().message);
    }
}

} // namespace muster
