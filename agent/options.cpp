#include "agent/options.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "agent/config/units.h"

namespace muster {
namespace {

struct CommandForm {
    std::string_view name;
    std::string_view summary;
    bool json = false;  ///< takes --json
    bool names = false; ///< takes names
};

constexpr std::array commands = {
    CommandForm{.name = "run",
                .summary =
                    "the boot job: assemble, probe, report (the only one that changes disks)",
                .json = true},
    CommandForm{
        .name = "plan", .summary = "what `run` would do to the disks and why", .json = true},
    CommandForm{.name = "metadata",
                .summary = "the confirmed metadata, and how it was reached",
                .json = true},
    CommandForm{.name = "probe",
                .summary = "the read-only checks, now: muster probe [root] [ebs] [checks]",
                .json = true,
                .names = true},
    CommandForm{
        .name = "status", .summary = "the last outcome and the boot's timeline", .json = true},
    CommandForm{.name = "deliver",
                .summary = "send what is still in the spool; --test rehearses it"},
    CommandForm{.name = "config", .summary = "the effective configuration, or where it is wrong"},
    CommandForm{.name = "watch", .summary = "stay resident: probe, and report what changes"},
    CommandForm{.name = "tune",
                .summary = "from past reports: when to look, and when recreating is quicker",
                .json = true,
                .names = true},
};

/// A flag without a value, and the command that knows it.
struct Switch {
    std::string_view command;
    std::string_view name;
    bool Options::* set;
};

constexpr std::array switches = {
    Switch{"run", "--if-died", &Options::if_died},
    Switch{"deliver", "--test", &Options::test},
    Switch{"tune", "--by-kind", &Options::by_kind},
};

const CommandForm* find_command(std::string_view name) {
    const auto found = std::ranges::find(commands, name, &CommandForm::name);
    return found == commands.end() ? nullptr : &*found;
}

std::optional<log::Level> parse_level(std::string_view text) {
    if (text == "debug") return log::Level::debug;
    if (text == "info") return log::Level::info;
    if (text == "warning") return log::Level::warning;
    if (text == "error") return log::Level::error;
    return std::nullopt;
}

/// Goes through the words; each flag's value may follow it or stand behind "=".
class Reader {
  public:
    explicit Reader(const std::vector<std::string>& words) : words_(words) {}

    Result<Options> read() {
        for (; at_ < words_.size(); ++at_) {
            const std::string_view word = words_[at_];
            if (word == "--help" || word == "-h" || word == "help") return special("help");
            if (word == "--version") return special("version");
            // "-" alone is standard input.
            auto taken = word.starts_with("-") && word != "-" ? flag(word) : plain(word);
            if (!taken) return fail(taken.error());
        }
        if (options_.command.empty()) return fail(Errc::malformed, "no command given; see --help");
        if (options_.command == "tune" && options_.names.empty()) {
            return fail(Errc::malformed,
                        "tune: expected files of reports, or - for standard input");
        }
        return options_;
    }

  private:
    Result<Options> special(const char* command) {
        options_.command = command;
        return options_;
    }

    Result<std::string> value(std::string_view flag) {
        const std::string_view word = words_[at_];
        std::string text;
        if (word.size() > flag.size()) {
            text = word.substr(flag.size() + 1);
        } else if (at_ + 1 < words_.size()) {
            text = words_[++at_];
        }
        if (text.empty()) {
            return fail(Errc::malformed, fmt::format("{}: expected a value after it", flag));
        }
        return text;
    }

    Result<void> milestone(const Result<std::string>& text) {
        if (!text) return fail(text.error());
        if (*text != "storage" && *text != "ready") {
            return fail(Errc::malformed,
                        fmt::format("--wait: expected storage or ready, found \"{}\"", *text));
        }
        options_.wait = *text == "storage" ? Milestone::storage : Milestone::ready;
        return {};
    }

    Result<void> take_file(std::string_view name, std::string& file) {
        auto text = value(name);
        if (!text) return fail(text.error());
        file = std::move(*text);
        return {};
    }

    Result<Duration> duration(std::string_view name) {
        const auto text = value(name);
        if (!text) return fail(text.error());
        const auto duration = parse_duration(*text);
        if (!duration || *duration > std::chrono::hours(48)) {
            return fail(Errc::malformed,
                        fmt::format("{}: expected a duration such as \"100ms\" or \"60s\", up to "
                                    "48h, found \"{}\"",
                                    name, *text));
        }
        return *duration;
    }

    Result<void> take_cost(std::string_view name, double& cost) {
        const auto found = duration(name);
        if (!found) return fail(found.error());
        cost = seconds(*found);
        return {};
    }

    Result<void> take_patience() {
        const auto found = duration("--for");
        if (!found) return fail(found.error());
        options_.patience = *found;
        return {};
    }

    Result<void> flag(std::string_view word) {
        const auto name = word.substr(0, word.find('='));
        const bool tunes = options_.command == "tune";
        if (name == "--svg" && (tunes || options_.command == "status")) {
            return take_file(name, options_.svg);
        }
        if (tunes && name == "--fragment") return take_file(name, options_.fragment);
        if (tunes && name == "--look-cost") return take_cost(name, options_.costs.look);
        if (name == "--for" && options_.command == "deliver") return take_patience();
        if (tunes && name == "--recreation-cost") return take_cost(name, options_.costs.recreation);
        for (const auto& one : switches) {
            if (one.command == options_.command && one.name == word) {
                options_.*one.set = true;
                return {};
            }
        }
        if (name == "--config") {
            auto file = value(name);
            if (!file) return fail(file.error());
            options_.configs.push_back(std::move(*file));
            return {};
        }
        if (name == "--log-level") {
            const auto text = value(name);
            if (!text) return fail(text.error());
            const auto level = parse_level(*text);
            if (!level) {
                return fail(
                    Errc::malformed,
                    fmt::format("--log-level: expected debug, info, warning or error, found "
                                "\"{}\"",
                                *text));
            }
            options_.log_level = *level;
            return {};
        }
        if (name == "--wait" && options_.command == "status") return milestone(value(name));
        const auto* command = find_command(options_.command);
        if (word == "--json" && command != nullptr && command->json) {
            options_.json = true;
            return {};
        }
        return fail(Errc::malformed,
                    fmt::format("unknown flag {}{}; see --help", word,
                                options_.command.empty() ? "" : " for " + options_.command));
    }

    Result<void> plain(std::string_view word) {
        const auto* command = find_command(options_.command);
        if (command != nullptr && command->names) {
            if (command->name == "probe" && word != "root" && word != "ebs" && word != "checks") {
                return fail(Errc::malformed,
                            fmt::format("probe: expected root, ebs or checks, found \"{}\"", word));
            }
            options_.names.emplace_back(word);
            return {};
        }
        if (command != nullptr) {
            return fail(Errc::malformed,
                        fmt::format("{} takes no \"{}\"; see --help", options_.command, word));
        }
        const auto* wanted = find_command(word);
        if (wanted == nullptr) {
            return fail(Errc::malformed, fmt::format("unknown command \"{}\"; see --help", word));
        }
        options_.command = word;
        return {};
    }

    const std::vector<std::string>& words_;
    std::size_t at_ = 0;
    Options options_;
};

} // namespace

Result<Options> parse_command_line(const std::vector<std::string>& arguments) {
    return Reader(arguments).read();
}

std::string usage() {
    std::string text = "muster: inspects an EC2 instance at boot and tells the scaler\n\n"
                       "usage: muster COMMAND [--config FILE]... [--log-level LEVEL] [--json]\n\n";
    for (const auto& command : commands) {
        text += fmt::format("  {:<9} {}\n", command.name, command.summary);
    }
    return text +
           "\n--config replaces the default search (/etc/muster/muster.json,\n"
           "/etc/muster/conf.d/*.json, /run/muster/conf.d/*.json) and may be repeated.\n"
           "--json: run, plan, metadata, probe, status, tune print JSON and nothing else.\n"
           "run --if-died: report failed / internal where the last run left no verdict.\n"
           "status --wait storage|ready: return when this boot has got there (0) or will\n"
           "not (1).\n"
           "--svg FILE: status and tune draw what they say.\n"
           "tune FILE... (- is standard input): reports, one a line. --fragment FILE writes\n"
           "the schedules as configuration, --by-kind takes all EBS volumes together,\n"
           "--look-cost 10ms and --recreation-cost 60s say what is traded.\n"
           "Exit status of run: 0 ready and delivered, 1 failed and delivered, 2 usage or\n"
           "configuration, 3 ready and 4 failed but not delivered (kept in the spool).\n"
           "Of the others: 0 all well, 1 something fails or is unknown, 2 as above;\n"
           "deliver: 3 if anything remains; watch: 0 when it was told to stop.\n"
           "deliver --test: sinks that record get a report with the outcome \"test\", those\n"
           "that act tell what they would do and the permission it needs.\n"
           "deliver --for 10m: for so long it is tried, not for report.deadline.\n";
}

} // namespace muster
