#include "lvm/machine.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/summary.h"
#include "lvm/tool.h"

namespace muster::lvm {
namespace {

constexpr Duration ask_limit = std::chrono::seconds(60);
constexpr Duration lock_patience = std::chrono::seconds(60);
constexpr Duration lock_pause = std::chrono::milliseconds(250);

/// "lvm vgcreate", "mkfs.xfs": `muster plan` has the whole of it.
std::string name_of(const Command& command) {
    const auto& path = command.argv.front();
    auto name = path.substr(path.rfind('/') + 1);
    if (name == "lvm" && command.argv.size() > 1) name += " " + command.argv[1];
    return name;
}

Failure ended_badly(const Command& command, const CommandOutput& output) {
    return {"assembly-failed", fmt::format("{} failed (status {}): {}", name_of(command),
                                           output.exit_status, summary(output.err))};
}

struct Run {
    Result<CommandOutput> output;
    Duration had; ///< the time that there was for it
};

/// Again for as long as another LVM command has LVM's own lock.
Run run_patiently(const Machine& machine, const Command& command, Deadline deadline) {
    const Deadline limit = deadline.clipped(machine.clock, lock_patience);
    while (true) {
        const auto had = deadline.left(machine.clock);
        auto output = machine.commands.run(command, deadline);
        if (!output || !is_locked_out(*output) || limit.passed(machine.clock))
            return {std::move(output), had};
        machine.clock.sleep_until(machine.clock.now() + lock_pause);
    }
}

} // namespace

Failure disk_failure(const Error& error) {
    switch (error.code) {
    case Errc::stuck: return {"ephemeral-stuck", error.message};
    case Errc::io: return {"ephemeral-io-error", error.message};
    default: return {"cannot-tell", error.message};
    }
}

std::expected<DiskContent, Failure> read_content(const Machine& machine, const std::string& node,
                                                 Deadline deadline) {
    auto content = machine.kernel.content(node, deadline.clipped(machine.clock, look_limit));
    if (!content) return std::unexpected(disk_failure(content.error()));
    return std::move(*content);
}

std::expected<void, Failure> must_run(const Machine& machine, const Command& command,
                                      Deadline deadline) {
    const auto [output, had] = run_patiently(machine, command, deadline);
    if (!output) {
        const auto& error = output.error();
        if (error.code == Errc::absent)
            return std::unexpected(Failure{"tool-missing", error.message});
        if (error.code == Errc::stuck && had < fair_time) {
            return std::unexpected(Failure{
                "deadline-exceeded", fmt::format("{}: the time was up; it had {:.1f} s",
                                                 to_string(command), seconds(std::max(had, {})))});
        }
        return std::unexpected(error.code == Errc::stuck
                                   ? disk_failure(error)
                                   : Failure{"assembly-failed", error.message});
    }
    if (output->exit_status == 0) return {};
    return std::unexpected(ended_badly(command, *output));
}

std::expected<std::string, Failure> ask(const Machine& machine, const Command& command,
                                        Deadline deadline) {
    auto output =
        run_patiently(machine, command, deadline.clipped(machine.clock, ask_limit)).output;
    if (!output) return std::unexpected(disk_failure(output.error().with("asking LVM")));
    if (output->exit_status == 0) return std::move(output->out);
    return std::unexpected(ended_badly(command, *output));
}

} // namespace muster::lvm
