#include "agent/commands.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/config.h"
#include "agent/look.h"
#include "agent/metadata.h"
#include "agent/stages.h"
#include "agent/sys/log.h"
#include "agent/timeline.h"
#include "lvm/tool.h"

namespace muster {
namespace {

using Json = nlohmann::ordered_json;

Json plan_json(const lvm::Plan& plan) {
    Json json = {{"volume_group", plan.group},
                 {"devices", plan.devices},
                 {"steps", Json::array()},
                 {"refusals", Json::array()},
                 {"notes", plan.notes}};
    for (const auto& step : plan.steps)
        json["steps"].push_back(
            {{"what", lvm::describe(plan, step)}, {"command", lvm::command_of(plan, step)}});
    for (const auto& [subject, reason, message] : plan.refusals) {
        json["refusals"].push_back({{"subject", subject}, {"code", reason}, {"message", message}});
    }
    return json;
}

std::string plan_text(const lvm::Plan& plan, const std::vector<probes::KnownDisk>& disks) {
    std::string text;
    for (const auto& known : disks) {
        text += fmt::format(
            "disk    {} ({} bytes{}): ephemeral: {}\n", known.disk.node, known.disk.size,
            known.disk.serial.empty() ? "" : ", serial " + known.disk.serial, known.evidence);
    }
    for (const auto& [subject, reason, message] : plan.refusals) {
        text += fmt::format("REFUSED {}: {}\n", reason, message);
    }
    for (const auto& step : plan.steps)
        text += fmt::format("would   {}\n        {}\n", lvm::describe(plan, step),
                            lvm::command_of(plan, step));
    for (const auto& note : plan.notes)
        text += fmt::format("note    {}\n", note);
    if (plan.steps.empty() && plan.refusals.empty()) text += "nothing to do\n";
    return text;
}

} // namespace

int show_plan(const Options& options) {
    const auto here = look(options);
    if (here == nullptr) return bad_configuration;
    const auto world = here->real->world();
    const auto known = MetadataStage(world, here->config, here->progress).confirm(here->deadline);
    std::optional<lvm::Plan> plan;
    std::vector<probes::KnownDisk> disks;
    if (known) {
        const auto found =
            find_ephemeral(world, here->config, *known, here->progress, here->deadline);
        if (found) {
            disks = *found;
            plan = plan_storage(world, here->config, disks, known->identity.instance_id,
                                here->progress, here->deadline);
        }
    }
    if (options.json) {
        Json json = plan ? plan_json(*plan) : Json::object();
        json["findings"] = findings_json(here->record);
        print(json);
    } else {
        print(plan ? plan_text(*plan, disks) : findings_text(here->record));
    }
    return plan && plan->refusals.empty() ? here->status() : something_wrong;
}

int show_probes(const Options& options) {
    const auto here = look(options);
    if (here == nullptr) return bad_configuration;
    const auto wanted = [&](std::string_view name) {
        return options.names.empty() ||
               std::ranges::find(options.names, name) != options.names.end();
    };
    const auto world = here->real->world();
    if (wanted("root")) check_root(world, here->config, here->progress, here->deadline);
    if (wanted("ebs")) {
        MetadataStage metadata(world, here->config, here->progress);
        if (const auto known = metadata.confirm(here->deadline)) {
            check_ebs(world, here->config, known->mapping, here->progress, here->deadline);
        }
    }
    if (options.json) {
        print(Json{{"findings", findings_json(here->record)}});
    } else {
        print(findings_text(here->record));
    }
    return here->status();
}

int show_status(const Options& options) {
    const Files files;
    const auto text = files.read("/run/muster/status.json");
    if (!text) {
        log::error("no outcome yet: muster run has not ended since this boot",
                   {{"error", text.error().message}});
        return something_wrong;
    }
    const auto status = nlohmann::json::parse(*text, nullptr, false);
    if (!status.is_object()) {
        log::error("/run/muster/status.json can't be understood");
        return something_wrong;
    }
    try {
        print(options.json ? *text : describe_report(status) + draw_timeline(status));
        return status.value("outcome", "") == "ready" ? all_well : something_wrong;
    } catch (const nlohmann::json::exception& error) {
        log::error("/run/muster/status.json is no report", {{"error", error.what()}});
        return something_wrong;
    }
}

int show_config(const Options& options) {
    const Files files;
    const auto layers = find_config_layers(files, options.configs);
    if (!layers) {
        print("wrong: " + layers.error().message + "\n");
        return bad_configuration;
    }
    const auto loaded = load_config(*layers);
    for (const auto& mistake : loaded.mistakes)
        print("wrong: " + mistake.text() + "\n");
    if (!loaded.mistakes.empty()) return bad_configuration;
    print(loaded.effective);
    return all_well;
}

} // namespace muster
