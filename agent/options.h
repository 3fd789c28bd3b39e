// The command line. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/sys/log.h"
#include "agent/sys/result.h"

namespace muster {

struct Options {
    std::string command;              ///< "run"; "help" and "version" for those flags
    std::vector<std::string> configs; ///< --config, in order
    std::vector<std::string> names;   ///< what follows the command: `probe root ebs`
    log::Level log_level = log::Level::info;
    bool json = false;
    bool test = false; ///< `deliver --test`
};

/// `malformed` with one line that says what is wrong and what was expected.
[[nodiscard]] Result<Options> parse_command_line(const std::vector<std::string>& arguments);

[[nodiscard]] std::string usage();

} // namespace muster
