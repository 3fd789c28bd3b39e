#include "probes/checks.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "probes/text.h"

namespace muster::probes {
namespace {

constexpr const char* check_name = "check";
constexpr const char* code = "check-failed";

constexpr std::size_t most_programs = 64;    ///< of one folder: they all run at once
constexpr std::size_t kept_output = 2 << 10; ///< bytes of each output

/// A program that resists TERM costs CommandRunner up to 2 s more than its deadline, and what it
/// was must still be told within the boot job's: else it is the job that was late, and that advises
/// to recreate whatever the check says.
constexpr Duration end_of_all = std::chrono::seconds(3);

/// The same for every shell and interpreter, whatever each has built in.
constexpr const char* path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

using Type = FolderEntry::Type;

/// What editors and package managers leave beside a file.
bool is_passed_over(std::string_view name) {
    const auto dot = name.rfind('.');
    const auto ending = dot == name.npos ? std::string_view() : name.substr(dot);
    return name.starts_with('.') || name.ends_with('~') || ending.starts_with(".dpkg-") ||
           ending.starts_with(".rpm");
}

/// Why root is not to run what stands there, and what to do; "" where it may.
std::string objection(const FolderEntry& entry, Type wanted) {
    if (entry.type != wanted) {
        return entry.type == Type::link ? "is a link, expected the program itself"
                                        : "is no plain file, expected a program";
    }
    if (entry.owner != 0) {
        return fmt::format("belongs to user {}, who could have root run anything: chown root",
                           entry.owner);
    }
    if ((entry.mode & 0022U) != 0) {
        return fmt::format("may be written by others than root (mode {:04o}): chmod go-w",
                           entry.mode);
    }
    if (wanted == Type::file && (entry.mode & 0100U) == 0) {
        return fmt::format("is not executable (mode {:04o}): chmod 0755, or take it away",
                           entry.mode);
    }
    return "";
}

Finding with_gate(Finding finding, bool gating) {
    finding.gating = gating;
    return finding;
}

/// The entries of a folder whose programs root may run; empty where it is not there, or where that
/// is a finding.
std::vector<FolderEntry> entries_of(Kernel& kernel, const std::string& name,
                                    const std::string& folder, bool required, Deadline deadline,
                                    FoundChecks& found) {
    const auto entries = kernel.folder(folder, deadline);
    if (!entries) {
        const auto& [errc, message] = entries.error();
        if (errc == Errc::absent) return {};
        const bool wrong = errc == Errc::malformed || errc == Errc::too_large;
        found.findings.push_back(with_gate(wrong ? failed(check_name, name, code, message)
                                                 : unknown(check_name, name, message),
                                           required));
        return {};
    }
    const auto itself =
        entries->empty() ? "tells nothing of itself" : objection(entries->front(), Type::folder);
    if (itself.empty()) return {entries->begin() + 1, entries->end()};
    found.findings.push_back(with_gate(
        failed(check_name, name, code, fmt::format("{} {}; nothing in it is run", folder, itself)),
        required));
    return {};
}

void add_folder(Kernel& kernel, const std::string& name, bool required, Deadline deadline,
                FoundChecks& found) {
    const auto folder = fmt::format("{}/{}", checks_folder, name);
    auto entries = entries_of(kernel, name, folder, required, deadline, found);
    std::erase_if(entries, [](const FolderEntry& entry) { return is_passed_over(entry.name); });
    if (entries.size() > most_programs) {
        found.findings.push_back(
            with_gate(failed(check_name, name, code,
                             fmt::format("{} holds {} programs, expected at most {}; none is run",
                                         folder, entries.size(), most_programs)),
                      required));
        return;
    }
    for (const auto& entry : entries) {
        const auto subject = fmt::format("{}/{}", name, entry.name);
        const auto file = fmt::format("{}/{}", folder, entry.name);
        if (const auto why = objection(entry, Type::file); !why.empty()) {
            found.findings.push_back(with_gate(
                failed(check_name, subject, code, fmt::format("{} {}", file, why)), required));
            continue;
        }
        found.checks.push_back({.name = subject, .command = {file}, .required = required});
    }
}

/// The end of an output; a character that the cut went through is left out.
std::string end_of(std::string_view output) {
    if (output.size() <= kept_output) return std::string(output);
    output.remove_prefix(output.size() - kept_output);
    const auto is_inside = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    for (int bytes = 0; bytes < 3 && is_inside(output.front()); ++bytes)
        output.remove_prefix(1);
    return std::string(output);
}

/// "; it said ..." with the last line, for a person who has nothing else.
std::string last_words(const CommandOutput& output) {
    for (const auto& text : {&output.err, &output.out}) {
        const auto end = end_of(*text);
        const auto lines = lines_of(end);
        if (!lines.empty()) return "; it said " + excerpt(lines.back());
    }
    return "";
}

/// The reason of a verdict stands without its subject, so the message has that too.
std::string named(const Check& check) {
    const auto& program = check.command.front();
    return program == fmt::format("{}/{}", checks_folder, check.name)
               ? program
               : fmt::format("{}: {}", check.name, program);
}

std::string late(const Check& check, Duration given) {
    return given < check.deadline
               ? fmt::format("had not ended after {:.1f} s, when the time for all was up (its own "
                             "deadline is {:.1f} s)",
                             seconds(given), seconds(check.deadline))
               : fmt::format("had not ended by its deadline, {:.1f} s", seconds(given));
}

Finding judged(const Check& check, const CommandOutput& output, Duration given) {
    const auto failure = [&](const std::string& what) {
        auto finding = failed(check_name, check.name, code,
                              fmt::format("{} {}{}", named(check), what, last_words(output)));
        // Of one that passes nobody needs the output, and the report has room for 64 KiB.
        if (!output.out.empty()) finding.evidence["out"] = end_of(output.out);
        if (!output.err.empty()) finding.evidence["err"] = end_of(output.err);
        return finding;
    };
    if (output.ended_late) return failure(late(check, given));
    const int status = output.exit_status;
    auto finding =
        status == 0 ? pass(check_name, check.name, fmt::format("{} passes", check.command.front()))
        : status > 128 ? failure(fmt::format("ended with status {} (as by signal {}), expected 0",
                                             status, status - 128))
                       : failure(fmt::format("ended with status {}, expected 0", status));
    finding.evidence["exit_status"] = status;
    return finding;
}

/// The error's own message has the whole command line in it, and an argument may be a secret.
Finding judged(const Check& check, Errc error, Duration given) {
    const auto failure = [&](const std::string& what) {
        return failed(check_name, check.name, code, fmt::format("{} {}", named(check), what));
    };
    switch (error) {
    case Errc::absent: return failure("is not there, or the interpreter that its first line names");
    case Errc::denied:
        return failure("may not be run: it is not executable, or on a file system that is mounted "
                       "noexec");
    case Errc::malformed: return failure("is no program; a script begins with #!");
    case Errc::too_large: return failure("is given too many arguments");
    case Errc::stuck: return failure(late(check, given));
    default:
        return unknown(check_name, check.name,
                       fmt::format("{} could not be run ({})", named(check), to_string(error)));
    }
}

} // namespace

FoundChecks find_checks(Kernel& kernel, Deadline deadline) {
    FoundChecks found;
    const auto top = entries_of(kernel, "checks.d", checks_folder, true, deadline, found);
    const auto add = [&](const std::string& name, bool required) {
        if (std::ranges::find(top, name, &FolderEntry::name) != top.end())
            add_folder(kernel, name, required, deadline, found);
    };
    add("required.d", true);
    add("wanted.d", false);
    return found;
}

Finding run_check(CommandRunner& commands, const Clock& clock, const Check& check,
                  Deadline deadline) {
    const Instant begun = clock.now();
    const auto limit = Deadline{deadline.at - end_of_all}.clipped(clock, check.deadline);
    if (limit.passed(clock)) {
        return with_gate(
            unknown(check_name, check.name,
                    fmt::format("{} was not run, since no time was left", named(check))),
            check.required);
    }
    const auto output =
        commands.run({.argv = check.command, .environment = {path}, .only_its_end = true}, limit);
    const Duration given = limit.at - begun;
    auto finding =
        output ? judged(check, *output, given) : judged(check, output.error().code, given);
    finding.evidence["seconds"] = std::round(seconds(clock.now() - begun) * 1000) / 1000;
    finding.gating = check.required;
    finding.recreate = check.recreate && finding.status == Status::fail;
    return finding;
}

} // namespace muster::probes
