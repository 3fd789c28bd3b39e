// What the commands that only look have in common: a configuration, the real world, a record.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "agent/options.h"
#include "agent/real_world.h"
#include "agent/record.h"

namespace muster {

/// Exit statuses of the read-only commands.
inline constexpr int all_well = 0;
inline constexpr int something_wrong = 1;
inline constexpr int bad_configuration = 2;

/// The configuration, where it is usable; every mistake is logged.
[[nodiscard]] std::optional<Config> usable_config(const Options& options);

struct Look {
    Config config;
    std::unique_ptr<RealWorld> real;
    Record record;
    Progress progress;
    Deadline deadline;

    Look(Config wanted, std::unique_ptr<RealWorld> world);

    /// `all_well` when every gating finding passes.
    [[nodiscard]] int status() const;
};

/// Nothing where the configuration is wrong or the machine can't be asked; that is logged.
[[nodiscard]] std::unique_ptr<Look> look(const Options& options);

/// To standard output.
void print(const std::string& text);
void print(const nlohmann::ordered_json& json);

/// To a file that the command line names, whole or not at all; a failure is logged.
[[nodiscard]] bool write_file(const std::string& file, const std::string& text);

[[nodiscard]] nlohmann::ordered_json findings_json(const Record& record);
/// A line each.
[[nodiscard]] std::string findings_text(const Record& record);

} // namespace muster
