#include "agent/stages.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/lock.h"
#include "lvm/survey.h"
#include "probes/block_devices.h"
#include "probes/controllers.h"
#include "probes/ebs.h"
#include "probes/root_volume.h"

namespace muster {
namespace {

// A look at sysfs costs about a millisecond.
constexpr Duration look_every = std::chrono::milliseconds(100);
// The kernel finds the disks of one controller within this of each other: a set that has stood so
// long is whole.
constexpr Duration stable_for = std::chrono::milliseconds(300);

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

void check_ebs(const World& world, const Config& config, const probes::Mapping& mapping,
               Progress& progress, Deadline deadline) {
    std::vector<probes::ExpectedVolume> expected = probes::volumes_of(mapping);
    if (config.ebs) {
        expected.clear();
        for (const auto& volume : *config.ebs) {
            expected.push_back({.name = volume.name,
                                .device = volume.device,
                                .volume_id = volume.volume_id,
                                .min_size = volume.min_size,
                                .deadline = volume.deadline});
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

/// One look at the disks of the machine.
struct Seen {
    std::vector<probes::KnownDisk> ephemeral;
    std::vector<probes::KnownDisk> doubtful; ///< may be ephemeral, and nobody can tell
    probes::Controllers controllers;
};

/// How many there must be. "any" is no number, but a controller without its disk is a disk that is
/// still to come.
std::size_t needed(const Expectation& expectation, const Seen& seen) {
    return expectation.kind == Expectation::Kind::any ? seen.controllers.instance_store
                                                      : expectation.count;
}

bool is_whole(const Expectation& expectation, const Seen& seen) {
    return seen.ephemeral.size() >= needed(expectation, seen) && seen.doubtful.empty() &&
           (expectation.kind != Expectation::Kind::any || seen.controllers.untaken == 0);
}

Result<Seen> look(const World& world, const probes::Mapping& mapping) {
    const auto disks = probes::read_disks(world.files, world.kernel);
    if (!disks) return fail(disks.error());
    const auto controllers = probes::read_controllers(world.files);
    if (!controllers) return fail(controllers.error());
    Seen seen{.controllers = *controllers};
    const auto known =
        probes::tell_origins(*disks, mapping, probes::resolve_mapping(world.kernel, mapping));
    for (const auto& disk : known) {
        if (disk.origin == probes::Origin::instance_store) seen.ephemeral.push_back(disk);
        if (disk.doubtful) seen.doubtful.push_back(disk);
    }
    return seen;
}

std::vector<std::string> names_of(const std::vector<probes::KnownDisk>& disks) {
    std::vector<std::string> names;
    for (const auto& known : disks)
        names.push_back(known.disk.name);
    return names;
}

void report_too_few(const Seen& seen, const Expectation& expectation, Duration waited,
                    Progress& progress) {
    for (const auto& known : seen.doubtful) {
        progress.finding(
            probes::unknown("ephemeral", known.disk.name,
                            fmt::format("{} may be an ephemeral disk, and that can't be told: {}",
                                        known.disk.node, known.evidence)));
    }
    if (expectation.kind == Expectation::Kind::any && seen.controllers.untaken > 0) {
        progress.finding(probes::unknown(
            "ephemeral", "controllers",
            fmt::format("no driver has taken {} of the machine's NVMe controllers; they may be of "
                        "ephemeral disks (see the kernel log for \"nvme\")",
                        seen.controllers.untaken)));
    }
    if (seen.ephemeral.size() >= needed(expectation, seen)) return;
    progress.finding(probes::failed(
        "ephemeral", "disks", "ephemeral-missing",
        fmt::format("{} ephemeral disks ({}) after {:.0f} s, expected {}; a new instance is "
                    "quicker than waiting",
                    seen.ephemeral.size(), fmt::join(names_of(seen.ephemeral), ", "),
                    seconds(waited), needed(expectation, seen))));
}

void note_more(const Seen& seen, const Expectation& expectation, Progress& progress) {
    const auto found = seen.ephemeral.size();
    if (expectation.kind != Expectation::Kind::exactly || found <= expectation.count) return;
    auto note =
        probes::pass("ephemeral", "disks",
                     fmt::format("{} ephemeral disks ({}), expected {}: all are used", found,
                                 fmt::join(names_of(seen.ephemeral), ", "), expectation.count));
    note.gating = false;
    progress.finding(note);
}

} // namespace

std::optional<std::vector<probes::KnownDisk>>
find_ephemeral(const World& world, const Config& config, const probes::KnownMetadata& known,
               Progress& progress, Deadline deadline) {
    const auto expectation = config.ephemeral.expect.of(known.identity.instance_type);
    if (expectation.kind == Expectation::Kind::none) return std::vector<probes::KnownDisk>{};

    StageScope stage(progress, "disks");
    const Instant start = world.clock.now();
    const Deadline limit = deadline.clipped(world.clock, config.ephemeral.deadline);
    std::vector<std::string> before;
    Instant since = start;
    for (unsigned polls = 1;; ++polls) {
        const auto seen = look(world, known.mapping);
        if (!seen) {
            progress.finding(probes::unknown("ephemeral", "disks", seen.error().message));
            return std::nullopt;
        }
        if (names_of(seen->ephemeral) != before) since = world.clock.now();
        before = names_of(seen->ephemeral);
        // "any" has no number to wait for: there the set must stand still for a moment.
        const bool still =
            expectation.kind != Expectation::Kind::any || world.clock.now() - since >= stable_for;
        const bool done = still && is_whole(expectation, *seen);
        if (!done && !limit.passed(world.clock)) {
            progress.waiting(fmt::format("ephemeral disks: {} so far", before.size()), limit.at);
            world.clock.sleep_until(world.clock.now() + look_every);
            continue;
        }
        progress.wait({.what = "ephemeral disks",
                       .seconds = seconds(world.clock.now() - start),
                       .polls = polls,
                       .outcome = done ? "found" : "gave up"});
        if (done) {
            note_more(*seen, expectation, progress);
            return seen->ephemeral;
        }
        report_too_few(*seen, expectation, world.clock.now() - start, progress);
        return std::nullopt;
    }
}

std::optional<lvm::Plan> plan_storage(const World& world, const Config& config,
                                      const std::vector<probes::KnownDisk>& disks,
                                      const std::string& instance_id, Progress& progress,
                                      Deadline deadline) {
    StageScope stage(progress, "plan");
    // A run before this one may have been killed in the middle of an mkfs that still goes on.
    if (const auto quiet = Lock::wait_for(world.files.real(world.disk_lock).string(), world.clock,
                                          deadline.clipped(world.clock, config.ephemeral.deadline));
        !quiet) {
        progress.finding(probes::failed("ephemeral", "disks", "ephemeral-stuck",
                                        "a command of an earlier run still writes to the disks: " +
                                            quiet.error().message));
        return std::nullopt;
    }
    std::vector<lvm::ProvedDisk> proved;
    for (const auto& known : disks)
        proved.push_back({known.disk, known.evidence});
    const lvm::Machine machine{world.files, world.kernel, world.commands, world.clock};
    const auto situation =
        lvm::survey(machine, proved, config.ephemeral.layout, instance_id, deadline);
    if (!situation) {
        const auto& [reason, message] = situation.error();
        progress.finding(reason == "cannot-tell"
                             ? probes::unknown("ephemeral", "disks", message)
                             : probes::failed("ephemeral", "disks", reason, message));
        return std::nullopt;
    }
    return lvm::make_plan(*situation);
}

} // namespace muster
