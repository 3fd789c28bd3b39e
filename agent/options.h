// The command line. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/log.h"
#include "agent/sys/result.h"
#include "agent/tune/looks.h"

namespace muster {

/// What can be waited for.
enum class Milestone {
    storage, ///< the disks are assembled and probed; the owner's checks may still fail
    ready    ///< the verdict is `ready`, delivered or not
};

struct Options {
    std::string command;              ///< "run"; "help" and "version" for those flags
    std::vector<std::string> configs; ///< --config, in order
    std::vector<std::string> names;   ///< what follows the command: `probe root ebs`, `tune FILE`
    log::Level log_level = log::Level::info;
    bool json = false;
    bool if_died = false;             ///< run --if-died
    std::optional<Milestone> wait;    ///< status --wait
    std::string svg;                  ///< --svg FILE of status and tune; "": no picture
    std::string fragment;             ///< tune --fragment FILE
    bool by_kind = false;             ///< tune --by-kind
    tune::Costs costs;                ///< tune --look-cost, --recreation-cost
    bool test = false;                ///< `deliver --test`
    std::optional<Duration> patience; ///< `deliver --for`; none: report.deadline
};

/// `malformed` with one line that says what is wrong and what was expected.
[[nodiscard]] Result<Options> parse_command_line(const std::vector<std::string>& arguments);

[[nodiscard]] std::string usage();

} // namespace muster
