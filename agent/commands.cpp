#include "agent/commands.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include "agent/config.h"
#include "agent/real_world.h"
#include "agent/stages.h"
#include "agent/sys/log.h"
#include "agent/timeline.h"
#include "lvm/tool.h"

namespace muster {
namespace {

using Json = nlohmann::ordered_json;

constexpr int all_well = 0;
constexpr int something_wrong = 1;
constexpr int bad_configuration = 2;

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

void print(const Json& json) {
    print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// The configuration, where it is usable; every mistake is logged.
std::optional<Config> usable_config(const Options& options) {
    const Files files;
    const auto layers = find_config_layers(files, options.configs);
    if (!layers) {
        log::error("configuration", {{"mistake", layers.error().message}});
        return std::nullopt;
    }
    const auto loaded = load_config(*layers);
    for (const auto& mistake : loaded.mistakes) {
        log::error("configuration", {{"mistake", mistake.text()}});
    }
    if (!loaded.valid()) return std::nullopt;
    return loaded.config;
}

/// What the read-only commands have in common: a configuration, the real world, a record.
struct Look {
    Config config;
    std::unique_ptr<RealWorld> real;
    Record record;
    Progress progress;
    Deadline deadline;

    Look(Config wanted, std::unique_ptr<RealWorld> world)
        : config(std::move(wanted)), real(std::move(world)),
          progress(real->clock(), real->clock().now(),
                   [this](const nlohmann::json& event) { record.add(event); }),
          deadline(Deadline::in(real->clock(), config.deadline)) {}

    [[nodiscard]] int status() const {
        return std::ranges::all_of(record.findings,
                                   [](const probes::Finding& finding) {
                                       return !finding.gating ||
                                              finding.status == probes::Status::pass;
                                   })
                   ? all_well
                   : something_wrong;
    }
};

std::unique_ptr<Look> look(const Options& options) {
    auto config = usable_config(options);
    if (!config) return nullptr;
    auto real = RealWorld::make();
    if (!real) {
        log::error("can't start", {{"error", real.error().message}});
        return nullptr;
    }
    return std::make_unique<Look>(std::move(*config), std::move(*real));
}

Json findings_json(const Record& record) {
    Json list = Json::array();
    for (const auto& finding : record.findings)
        list.push_back(Json(nlohmann::json(finding)));
    return list;
}

std::string findings_text(const Record& record) {
    std::string text;
    for (const auto& finding : record.findings) {
        text += fmt::format("{:<7} {} {}: {}\n", probes::to_string(finding.status), finding.check,
                            finding.subject, finding.message);
    }
    return text;
}

Json plan_json(const lvm::Plan& plan) {
    Json json = {{"volume_group", plan.group},
                 {"devices", plan.devices},
                 {"steps", Json::array()},
                 {"refusals", Json::array()},
                 {"notes", plan.notes}};
    for (const auto& step : plan.steps)
        json["steps"].push_back(lvm::describe(plan, step));
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
        text += fmt::format("would   {}\n", lvm::describe(plan, step));
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
    const auto known = confirm_metadata(world, here->config, here->progress, here->deadline);
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

int show_metadata(const Options& options) {
    const auto here = look(options);
    if (here == nullptr) return bad_configuration;
    const auto known =
        confirm_metadata(here->real->world(), here->config, here->progress, here->deadline);
    const auto& record = here->record;
    const auto& instance = record.instance;
    const auto known_text = [](const std::string& value) {
        return value.empty() ? Json(nullptr) : Json(value);
    };
    Json json = {{"instance",
                  {{"id", known_text(instance.id)},
                   {"type", known_text(instance.type)},
                   {"region", known_text(instance.region)},
                   {"zone", known_text(instance.zone)},
                   {"account", known_text(instance.account)},
                   {"image", known_text(instance.image)}}},
                 {"block-device-mapping", known ? Json(known->mapping) : Json(nullptr)},
                 {"requests", record.metadata.requests},
                 {"retries", record.metadata.retries},
                 {"empty", record.metadata.empty},
                 {"disagreements", record.metadata.disagreements},
                 {"failures", record.metadata.failures},
                 {"findings", findings_json(record)}};
    if (options.json) {
        print(json);
        return here->status();
    }
    std::string text;
    for (const auto& [name, value] : json["instance"].items()) {
        text += fmt::format("{:<8} {}\n", name, value.is_null() ? "-" : value.get<std::string>());
    }
    for (const auto& [name, device] : known ? known->mapping : probes::Mapping{}) {
        text += fmt::format("mapping  {} is {}\n", name, device);
    }
    print(text + findings_text(record) +
          fmt::format("{} requests, {} retries, {} empty, {} disagreements\n",
                      record.metadata.requests, record.metadata.retries, record.metadata.empty,
                      record.metadata.disagreements));
    return here->status();
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
        if (const auto known =
                confirm_metadata(world, here->config, here->progress, here->deadline)) {
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
