#include "agent/commands.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/config/config.h"
#include "agent/delivery/spool.h"
#include "agent/delivery/spool_list.h"
#include "agent/look.h"
#include "agent/metadata.h"
#include "agent/run.h"
#include "agent/stages.h"
#include "agent/standing.h"
#include "agent/sys/json_text.h"
#include "agent/sys/log.h"
#include "agent/timeline/timeline.h"
#include "lvm/tool.h"

namespace muster {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson plan_json(const PlannedDisks& planned) {
    const auto& plan = planned.plan;
    OrderedJson json = {{"volume_group", plan.group},       {"disks", OrderedJson::array()},
                        {"devices", plan.devices},          {"steps", OrderedJson::array()},
                        {"refusals", OrderedJson::array()}, {"notes", plan.notes}};
    for (const auto& [disk, evidence] : planned.disks) {
        json["disks"].push_back({{"name", disk.node},
                                 {"size", disk.size},
                                 {"serial", disk.serial},
                                 {"evidence", evidence}});
    }
    for (const auto& step : plan.steps)
        json["steps"].push_back(
            {{"what", lvm::describe(plan, step)}, {"commands", lvm::commands_of(plan, step)}});
    for (const auto& [subject, reason, message] : plan.refusals) {
        json["refusals"].push_back({{"subject", subject}, {"code", reason}, {"message", message}});
    }
    return json;
}

std::string plan_text(const PlannedDisks& planned) {
    const auto& plan = planned.plan;
    std::string text;
    for (const auto& [disk, evidence] : planned.disks) {
        text += fmt::format("disk    {} ({} bytes{}): ephemeral: {}\n", disk.node, disk.size,
                            disk.serial.empty() ? "" : ", serial " + disk.serial, evidence);
    }
    for (const auto& [subject, reason, message] : plan.refusals) {
        text += fmt::format("REFUSED {}: {}\n", reason, message);
    }
    for (const auto& step : plan.steps) {
        text += fmt::format("would   {}\n", lvm::describe(plan, step));
        for (const auto& command : lvm::commands_of(plan, step))
            text += fmt::format("        {}\n", command);
    }
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
    lvm::Scout scout(machine_of(world), here->deadline);
    const auto planned =
        known ? plan_storage(world, here->config, *known, scout, here->progress, here->deadline)
              : std::nullopt;
    if (options.json) {
        OrderedJson json = planned ? plan_json(*planned) : OrderedJson::object();
        json["findings"] = findings_json(here->record);
        print(json);
    } else {
        print(planned ? plan_text(*planned) : findings_text(here->record));
    }
    return planned && planned->plan.refusals.empty() ? here->status() : something_wrong;
}

int show_probes(const Options& options) {
    const auto here = look(options);
    if (here == nullptr) return bad_configuration;
    const auto wanted = [&](std::string_view name) {
        return options.names.empty() ||
               std::ranges::find(options.names, name) != options.names.end();
    };
    const auto world = here->real->world();
    if (wanted("root")) {
        check_root(world, here->config, here->progress, here->deadline);
        look_at_root(world, here->config, here->progress, here->deadline);
        look_at_kernel(world, here->progress);
    }
    if (wanted("ebs")) {
        MetadataStage metadata(world, here->config, here->progress);
        if (const auto known = metadata.confirm(here->deadline)) {
            check_ebs(world, here->config, known->mapping, false, here->progress, here->deadline);
        }
    }
    if (wanted("checks")) run_checks(world, here->config, here->progress, here->deadline);
    if (options.json) {
        print(OrderedJson{{"findings", findings_json(here->record)}});
    } else {
        print(findings_text(here->record));
    }
    return here->status();
}

namespace {

/// What is in the spool, also where it survives a reboot. Changes nothing.
SpoolContent read_whole_spool(const Files& files) {
    const auto clock = make_system_clock();
    const auto isolate = make_isolate(*clock);
    if (!isolate) return Spool(files).read();
    FarSpool far(**isolate, *clock, files);
    return Spool(files, &far).read();
}

} // namespace

int show_status(const Options& options) {
    const Files files;
    if (options.wait) {
        const auto clock = make_system_clock();
        if (is_switched_off(files) || wait_for(*options.wait, files, *clock)) return all_well;
        log::error("not reached, and not to be reached any more");
        return something_wrong;
    }
    const auto text = files.read(status_file);
    if (!text) {
        log::error("no outcome yet: muster run has not ended since this boot",
                   {{"error", text.error().message}});
        return something_wrong;
    }
    auto status = parse_ordered_json(*text);
    if (!status.is_object()) {
        log::error("/run/muster/status.json can't be understood");
        return something_wrong;
    }
    try {
        const auto waiting = read_whole_spool(files);
        status["spool"] = list_spool(waiting);
        print(options.json
                  ? to_text(status) + "\n"
                  : describe_report(status) + draw_timeline(status) + describe_spool(waiting));
        if (!options.svg.empty() && !write_file(options.svg, timeline_picture(status))) {
            return bad_configuration;
        }
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
