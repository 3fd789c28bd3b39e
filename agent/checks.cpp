// The stage of the owner's checks.
#include "probes/checks.h"

#include <algorithm>
#include <iterator>

#include "agent/stages.h"

namespace muster {
namespace {

/// The configured ones, then those in checks.d.
std::vector<probes::Check> all_checks(const World& world, const Config& config, Progress& progress,
                                      Deadline deadline) {
    std::vector<probes::Check> checks;
    for (const auto& check : config.checks) {
        checks.push_back({.name = check.name,
                          .command = check.command,
                          .deadline = check.deadline,
                          .required = check.required,
                          .recreate = check.recreate});
    }
    auto found =
        probes::find_checks(world.kernel, deadline.clipped(world.clock, config.root.io_deadline));
    for (const auto& finding : found.findings)
        progress.finding(finding);
    std::ranges::move(found.checks, std::back_inserter(checks));
    return checks;
}

} // namespace

void run_checks(const World& world, const Config& config, Progress& progress, Deadline deadline) {
    const auto checks = all_checks(world, config, progress, deadline);
    std::vector<std::unique_ptr<Job>> jobs;
    jobs.reserve(checks.size());
    for (const auto& check : checks) {
        jobs.push_back(world.clock.start("check", [&] {
            StageScope stage(progress, "check " + check.name);
            progress.finding(probes::run_check(world.commands, world.clock, check, deadline));
        }));
    }
    for (const auto& job : jobs)
        world.clock.wait(*job);
}

void skip_checks(const World& world, const Config& config, const std::string& obstacle,
                 Progress& progress, Deadline deadline) {
    // It may be the root volume that does not answer: whether there are checks is not worth a wait.
    constexpr Duration patience = std::chrono::seconds(1);
    const auto is_absent = [&] {
        const auto folder =
            world.kernel.folder(probes::checks_folder, deadline.clipped(world.clock, patience));
        return !folder && folder.error().code == Errc::absent;
    };
    if (config.checks.empty() && is_absent()) return;
    auto note =
        probes::unknown("check", "all checks", "not run, since not all was well: " + obstacle);
    note.gating = false;
    progress.finding(note);
}

} // namespace muster
