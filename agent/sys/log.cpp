#include "agent/sys/log.h"

#include <memory>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace muster::log {
namespace {

spdlog::logger& logger() {
    // Standard error only: standard output belongs to --json. Under systemd the journal stamps each
    // line itself, and the <N> prefix tells it the level (sd-daemon(3)).
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "muster", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_level(spdlog::level::info);
        made->set_pattern(getenv("JOURNAL_STREAM") != nullptr ? "%v" : "%H:%M:%S.%e %l %v");
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
    logger().log(level, "{}", line);
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
