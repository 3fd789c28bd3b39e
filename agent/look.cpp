#include "agent/look.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>

#include "agent/sys/json_text.h"
#include "agent/sys/log.h"

namespace muster {
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

Look::Look(Config wanted, std::unique_ptr<RealWorld> world)
    : config(std::move(wanted)), real(std::move(world)),
      progress(real->clock(), real->clock().now(),
               [this](const nlohmann::json& event) { record.add(event); }),
      deadline(Deadline::in(real->clock(), config.deadline)) {}

int Look::status() const {
    const auto is_well = [](const probes::Finding& finding) {
        return !finding.gating || finding.status == probes::Status::pass;
    };
    return std::ranges::all_of(record.findings, is_well) ? all_well : something_wrong;
}

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

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

void print(const nlohmann::ordered_json& json) {
    print(to_text(json, 2) + "\n");
}

bool write_file(const std::string& file, const std::string& text) {
    // A path of the command line begins where its user is, and not at the root.
    std::error_code error;
    const auto path = std::filesystem::absolute(file, error);
    const auto written =
        error ? Result<void>(fail_errno(error.value(), file)) : Files().write(path.string(), text);
    if (!written) log::error("not written", {{"error", written.error().message}});
    return written.has_value();
}

nlohmann::ordered_json findings_json(const Record& record) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& finding : record.findings)
        list.push_back(nlohmann::ordered_json(nlohmann::json(finding)));
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

} // namespace muster
