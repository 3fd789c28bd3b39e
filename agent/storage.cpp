// The writing stage, and what the report says of the disks.
#include <fmt/format.h>

#include "agent/stages.h"
#include "lvm/apply.h"
#include "lvm/filesystem.h"
#include "lvm/tool.h"

namespace muster {
namespace {

using Json = nlohmann::json;

probes::Finding finding_of(const std::string& subject, const std::string& reason,
                           const std::string& message) {
    return reason == "cannot-tell" ? probes::unknown("ephemeral", subject, message)
                                   : probes::failed("ephemeral", subject, reason, message);
}

Json devices_json(const std::vector<Disk>& disks) {
    Json list = Json::array();
    for (const auto& disk : disks) {
        list.push_back({{"name", disk.node},
                        {"model", disk.model},
                        {"serial", disk.serial},
                        {"size", disk.size}});
    }
    return list;
}

Json steps_json(const lvm::Plan& plan) {
    Json list = Json::array();
    for (const auto& step : plan.steps)
        list.push_back(lvm::describe(plan, step));
    return list;
}

/// What the kernel has mounted it as; else what it carries, null for nothing.
std::expected<Json, lvm::Failure> filesystem_of(const World& world, const lvm::ActiveVolume& volume,
                                                Deadline deadline) {
    if (!volume.mounted_as.empty()) return volume.mounted_as;
    const auto content = lvm::read_content(machine_of(world), volume.node, deadline);
    if (!content) return std::unexpected(content.error());
    return content->signatures.empty() ? Json(nullptr) : Json(content->signatures.front().type);
}

std::expected<Json, lvm::Failure> volume_json(const World& world, const lvm::Plan& plan,
                                              const std::string& name, Deadline deadline) {
    const auto found = lvm::find_volume(machine_of(world), plan, name);
    if (!found) return std::unexpected(found.error());
    const auto filesystem = filesystem_of(world, *found, deadline);
    if (!filesystem) return std::unexpected(filesystem.error());
    return Json{{"name", name},
                {"device", "/dev/mapper/" + lvm::mapper_name(plan.group, name)},
                {"size", found->size},
                {"filesystem", *filesystem},
                {"mount", found->mounts.empty() ? Json(nullptr) : Json(found->mounts.front())},
                {"disks", found->disks}};
}

} // namespace

lvm::Machine machine_of(const World& world) {
    return {world.files, world.kernel, world.commands, world.clock};
}

void report_storage(const World& world, const Config& config, const lvm::Plan& plan,
                    Progress& progress, Deadline deadline) {
    Json volumes = Json::array();
    for (const auto& volume : config.ephemeral.layout.volumes) {
        const auto json = volume_json(world, plan, volume.name, deadline);
        volumes.push_back(json ? *json
                               : Json{{"name", volume.name}, {"problem", json.error().message}});
    }
    progress.storage({{"devices", devices_json(plan.disks)},
                      {"volume_group", plan.group},
                      {"volumes", volumes},
                      {"changes", steps_json(plan)}});
}

void apply_plan(const World& world, const Config& config, const lvm::Plan& plan, Progress& progress,
                Deadline deadline) {
    for (const auto& [subject, reason, message] : plan.refusals) {
        progress.finding(finding_of(subject, reason, message));
    }
    for (const auto& [subject, reason, message] : plan.warnings) {
        auto warning = probes::failed("ephemeral", subject, reason, message);
        warning.gating = false;
        progress.finding(warning);
    }
    if (!plan.refusals.empty()) return;
    if (plan.disks.empty()) {
        progress.finding(
            probes::pass("ephemeral", "disks", "no ephemeral disk, and none expected"));
        return;
    }
    if (!plan.steps.empty() && !config.ephemeral.writes_allowed) {
        // Not "cannot-tell": a new machine with this configuration would end just so.
        progress.finding(probes::failed("ephemeral", "disks", "config-invalid",
                                        "an unknown key stands under `ephemeral` in the "
                                        "configuration, so what is wanted of the "
                                        "disks is not wholly known and nothing was written; see "
                                        "the finding config-unknown-key"));
        return;
    }
    if (config.mode == Mode::observe) {
        progress.storage({{"devices", devices_json(plan.disks)},
                          {"volume_group", plan.group},
                          {"volumes", Json::array()},
                          {"would_change", steps_json(plan)}});
        progress.finding(
            probes::pass("ephemeral", "disks",
                         fmt::format("observed only: {} steps were not taken", plan.steps.size())));
        return;
    }
    const auto done = [&]() -> std::expected<void, lvm::Failure> {
        StageScope stage(progress, "assembly");
        return lvm::apply(machine_of(world), plan, deadline,
                          {.begin = [&](const std::string& what) { progress.begin(what); },
                           .end = [&](const std::string& what,
                                      const std::string& error) { progress.end(what, error); },
                           .blank = [&] { progress.without_data(true); }});
    }();
    report_storage(world, config, plan, progress, deadline);
    if (!done) {
        // The disks are no longer what the proof was about.
        if (done.error().reason == "cannot-tell") progress.without_data(false);
        progress.finding(finding_of(plan.group, done.error().reason, done.error().message));
        return;
    }
    progress.finding(probes::pass("ephemeral", plan.group,
                                  plan.steps.empty()
                                      ? "assembled already, nothing was changed"
                                      : fmt::format("assembled from {} disks", plan.disks.size())));
}

} // namespace muster
