// Programs that are never run: a test says what each would answer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/sys/command.h"
#include "tests/catch.h"
#include "tests/fakes/fake_answers.h"
#include "tests/fakes/fake_clock.h"

namespace muster {

class FakeCommands : public CommandRunner {
  public:
    /// nullopt: not known, look in the answers laid out with `on`.
    using Handler = std::function<std::optional<Result<CommandOutput>>(const Command&)>;

    /// With a clock a command that is `stuck`, or ended late, takes until its deadline.
    explicit FakeCommands(FakeClock* clock = nullptr, Handler handler = {})
        : handler_(std::move(handler)), clock_(clock) {}

    void answer_with(Handler handler) { handler_ = std::move(handler); }

    /// The answer to this very command line (as `to_string` writes it). Said again for the same
    /// line: the answer to the next run; the last one stays.
    void on(const std::string& line, Result<CommandOutput> answer) {
        answers_[line].add(std::move(answer));
    }

    /// The same, for a program that succeeds and prints `out`.
    void prints(const std::string& line, std::string out) {
        CommandOutput output;
        output.out = std::move(out);
        on(line, std::move(output));
    }

    /// Replaces all that `on` said for this line.
    void now_on(const std::string& line, Result<CommandOutput> answer) {
        answers_[line].set(std::move(answer));
    }

    [[nodiscard]] Result<CommandOutput> run(const Command& command, Deadline deadline) override {
        ran.push_back(command);
        auto answer = find(command);
        const bool late = answer ? answer->ended_late : answer.error().code == Errc::stuck;
        if (clock_ != nullptr && late) {
            clock_->sleep_until(deadline.at);
        }
        return answer;
    }

    /// The lines of all that ran, and of those alone that were marked as writing.
    [[nodiscard]] std::vector<std::string> lines(bool only_writing = false) const {
        std::vector<std::string> result;
        for (const auto& command : ran) {
            if (command.writes_disks || !only_writing) {
                result.push_back(to_string(command));
            }
        }
        return result;
    }

    std::vector<Command> ran;

  private:
    Result<CommandOutput> find(const Command& command) {
        if (handler_) {
            if (auto answer = handler_(command)) {
                return *std::move(answer);
            }
        }
        const auto found = answers_.find(to_string(command));
        if (found == answers_.end()) {
            FAIL("FakeCommands: no answer for: " << to_string(command));
        }
        return found->second.next();
    }

    Handler handler_;
    std::map<std::string, FakeAnswers<CommandOutput>> answers_;
    FakeClock* clock_;
};

} // namespace muster
