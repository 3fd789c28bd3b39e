#include "agent/console.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

std::string printable(std::string_view text, std::size_t most) {
    std::string line;
    for (const char c : text.substr(0, most)) {
        line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
    }
    return line;
}

void write_all(int fd, std::string_view text) {
    // One attempt: what a slow console does not take at once is not worth a boot's time.
    [[maybe_unused]] const auto written = write(fd, text.data(), text.size());
}

/// Where there is room: a terminal that was stopped by Ctrl-S would be waited for.
void write_live(std::string_view text) {
    pollfd watched{STDERR_FILENO, POLLOUT, 0};
    if (poll(&watched, 1, 0) > 0) write_all(STDERR_FILENO, text);
}

} // namespace

void console_line(std::string_view text) {
    const Fd console(open("/dev/console", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!console) return;
    write_all(console.get(), "muster: " + printable(text, 400) + "\r\n");
}

LiveProgress::LiveProgress(const Clock& clock, Instant start)
    : clock_(clock), start_(start), terminal_(isatty(STDERR_FILENO) == 1) {}

LiveProgress::~LiveProgress() {
    clear();
}

void LiveProgress::clear() {
    if (drawn_) write_live("\r\x1b[K");
    drawn_ = false;
}

void LiveProgress::draw(const Record& record) {
    const double now = seconds(clock_.now() - start_);
    std::string line;
    for (const auto& stage : record.timings) {
        if (!stage.end) line += (line.empty() ? "" : ", ") + stage.name;
    }
    if (record.waiting && record.waiting->until > now) {
        line += fmt::format(": {} (until {:.1f} s)", record.waiting->what, record.waiting->until);
    }
    if (line.empty()) return;
    write_live("\r\x1b[K" + printable(fmt::format("[{:5.1f} s] {}", now, line), 110));
    drawn_ = true;
}

void LiveProgress::show(const nlohmann::json& event, const Record& record) {
    const auto kind = event.value("event", "");
    if (kind == "waiting") return log::debug("waiting", {{"for", event.value("what", "")}});
    if (kind == "end") {
        clear();
        show_end(record, event.value("stage", ""));
    }
    if (kind == "finding" && !record.findings.empty() &&
        record.findings.back().status != probes::Status::pass) {
        clear();
        const auto& finding = record.findings.back();
        log::warning("finding", {{"check", finding.check},
                                 {"subject", finding.subject},
                                 {"status", std::string(probes::to_string(finding.status))},
                                 {"code", finding.code},
                                 {"message", finding.message}});
    }
}

void LiveProgress::show_end(const Record& record, const std::string& name) {
    const auto stage = std::find_if(record.timings.rbegin(), record.timings.rend(),
                                    [&](const Stage& each) { return each.name == name; });
    if (stage == record.timings.rend()) return;
    const Stage& ended = *stage;
    if (!ended.end) return;
    const auto took = fmt::format("{:.2f}s", *ended.end - ended.start);
    if (stage->error.empty()) return log::info("done", {{"stage", name}, {"took", took}});
    log::error("failed", {{"stage", name}, {"took", took}, {"error", stage->error}});
}

void LiveProgress::tick(const Record& record) {
    if (terminal_) draw(record);
}

} // namespace muster
