#include "agent/sys/command.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "agent/sys/child.h"
#include "agent/sys/fd.h"
#include "agent/sys/wire.h"

namespace muster {

namespace {

using wire::Json;

/// Beyond the command's own deadline: a second from TERM to KILL and one more for what holds up the
/// helper itself (exec hangs on a stuck volume).
constexpr Duration kOuterGuard = std::chrono::seconds(2);

/// What the program gets as standard input: nothing to read, and, for one that writes to disks, the
/// lock. Standard input, because LVM closes every other descriptor that it inherits, and says so;
/// in this way the lock lives exactly as long as the program or a child of it, and a daemon that it
/// starts lets go of it (daemons leave their standard input).
Result<Fd> open_input(const std::string& disk_lock) {
    if (disk_lock.empty()) {
        Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!null) {
            return fail_errno(errno, "can't open /dev/null");
        }
        return null;
    }
    Fd lock(::open(disk_lock.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return fail_errno(errno, "can't open " + disk_lock);
    }
    // Who asks whether it is free (Lock::wait_until_free, of `muster plan`, say) has it for the
    // blink of an eye.
    for (int tries = 25; ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0; --tries) {
        if (errno != EWOULDBLOCK) {
            return fail_errno(errno, "can't lock " + disk_lock);
        }
        if (tries == 0) {
            return fail(Errc::conflict, "another process holds " + disk_lock);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (::lseek(lock.get(), 0, SEEK_END) < 0) { // an answer to "wipe it? [y/n]" is never in there
        return fail_errno(errno, "can't go to the end of " + disk_lock);
    }
    return lock;
}

Result<Json> run_in_helper(const Json& argument) {
    auto input = open_input(argument.at("lock").get<std::string>());
    if (!input) {
        return fail(std::move(input.error()));
    }
    const auto output = run_child({argument.at("argv").get<std::vector<std::string>>(),
                                   argument.at("environment").get<std::vector<std::string>>(),
                                   input->get(), Duration(argument.at("limit").get<long>()),
                                   !argument.at("lock").get<std::string>().empty(),
                                   argument.at("only_its_end").get<bool>()});
    if (!output) {
        return fail(output.error());
    }
    return Json{{"status", output->exit_status},
                {"out", output->out},
                {"err", output->err},
                {"took", output->took.count()},
                {"late", output->ended_late}};
}

std::string serve_command(std::string_view argument) {
    return wire::serve(argument, run_in_helper);
}

class IsolatedRunner : public CommandRunner {
  public:
    IsolatedRunner(const Clock& clock, Isolate& isolate, std::string disk_lock)
        : clock_(clock), isolate_(isolate), disk_lock_(std::move(disk_lock)) {}

    [[nodiscard]] Result<CommandOutput> run(const Command& command, Deadline deadline) override {
        if (command.argv.empty() || !command.argv.front().starts_with('/')) {
            return fail(Errc::malformed, "not an absolute path: " + to_string(command));
        }
        const auto left = deadline.left(clock_);
        if (left <= Duration::zero()) {
            return fail(Errc::stuck, to_string(command) + ": no time left to begin");
        }
        const auto answer = wire::call(isolate_, serve_command,
                                       {{"argv", command.argv},
                                        {"environment", command.environment},
                                        {"limit", left.count()},
                                        {"lock", command.writes_disks ? disk_lock_ : ""},
                                        {"only_its_end", command.only_its_end}},
                                       {deadline.at + kOuterGuard});
        if (!answer) {
            return fail(answer.error(), to_string(command));
        }
        CommandOutput output;
        output.exit_status = answer->at("status").get<int>();
        output.out = answer->at("out").get<std::string>();
        output.err = answer->at("err").get<std::string>();
        output.took = Duration(answer->at("took").get<long>());
        output.ended_late = answer->at("late").get<bool>();
        return output;
    }

  private:
    const Clock& clock_;
    Isolate& isolate_;
    std::string disk_lock_;
};

std::string quoted(const std::string& word) {
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
        return word;
    }
    std::string text = "'";
    for (const char c : word) {
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return text + "'";
}

} // namespace

std::unique_ptr<CommandRunner> make_command_runner(const Clock& clock, Isolate& isolate,
                                                   std::string disk_lock) {
    return std::make_unique<IsolatedRunner>(clock, isolate, std::move(disk_lock));
}

std::string to_string(const Command& command) {
    std::string text;
    const auto append = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
    for (const auto& variable : command.environment) {
        const auto name = variable.substr(0, variable.find('=') + 1);
        const auto value = variable.substr(name.size());
        append(name + (value.empty() ? "" : quoted(value)));
    }
    for (const auto& word : command.argv) {
        append(quoted(word));
    }
    return text;
}

} // namespace muster
