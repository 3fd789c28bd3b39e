#include "agent/sys/log.h"

#include <algorithm>
#include <climits>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "agent/sys/journal.h"

namespace muster::log {
namespace {

/// Standard error, without ever blocking: where nobody reads it any more (a journal that hangs on
/// the root volume that we are about to report), lines are lost, not the verdict.
class StderrSink : public spdlog::sinks::base_sink<std::mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        // Where there is room at all, there is room for this much (pipe(7)).
        const auto size = std::min<std::size_t>(line.size(), PIPE_BUF);
        if (size < line.size()) line[size - 1] = '\n';
        pollfd watched{STDERR_FILENO, POLLOUT, 0};
        const int ready = poll(&watched, 1, blocked_ ? 0 : patience);
        blocked_ = ready <= 0;
        if (!blocked_) {
            [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), size);
        }
    }
    void flush_() override {}

  private:
    static constexpr int patience = 50; // milliseconds, for a reader that is only slow
    bool blocked_ = false;
};

bool is_journal() {
    static const bool answer = getenv("JOURNAL_STREAM") != nullptr;
    return answer;
}

/// As syslog numbers them.
int priority_of(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::err: return 3;
    case spdlog::level::warn: return 4;
    case spdlog::level::info: return 6;
    default: return 7;
    }
}

spdlog::logger& logger() {
    // Standard error only: standard output belongs to --json. Under systemd the journal stamps each
    // line itself, and the <N> prefix tells it the level (sd-daemon(3)).
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>("muster", std::make_shared<StderrSink>());
        made->set_level(spdlog::level::info);
        made->set_pattern(is_journal() ? "%v" : "%H:%M:%S.%e %l %v");
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

void append_value(std::string& line, std::string_view value) {
    const bool plain = !value.empty() && value.find_first_of(" \"=\\\n\r\t") == value.npos;
    if (plain) {
        line += value;
        return;
    }
    line += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') line += '\\';
        // One event is one line, whatever a device or server put into its name.
        line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    line += '"';
}

void write(spdlog::level::level_enum level, std::string_view message,
           std::initializer_list<Field> fields) {
    if (!logger().should_log(level)) return;
    std::string line(message);
    for (const auto& [key, value] : fields) {
        line += ' ';
        line += key;
        line += '=';
        append_value(line, value);
    }
    // What the journal itself does not take, the pipe to it may.
    static const bool native = leads_to_journal(STDERR_FILENO);
    if (native && send_to_journal(journal_socket, journal_entry(line, priority_of(level), fields)))
        return;
    logger().log(level, "{}{}", is_journal() ? fmt::format("<{}>", priority_of(level)) : "", line);
}

} // namespace

void set_level(Level level) {
    switch (level) {
    case Level::debug: return logger().set_level(spdlog::level::debug);
    case Level::info: return logger().set_level(spdlog::level::info);
    case Level::warning: return logger().set_level(spdlog::level::warn);
    case Level::error: return logger().set_level(spdlog::level::err);
    }
}

void debug(std::string_view message, std::initializer_list<Field> fields) {
    write(spdlog::level::debug, message, fields);
}
void info(std::string_view message, std::initializer_list<Field> fields) {
    write(spdlog::level::info, message, fields);
}
void warning(std::string_view message, std::initializer_list<Field> fields) {
    write(spdlog::level::warn, message, fields);
}
void error(std::string_view message, std::initializer_list<Field> fields) {
    write(spdlog::level::err, message, fields);
}

} // namespace muster::log
