#include "agent/delivery/spool.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <thread>

#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr const char* folder = "/run/muster/spool/";
constexpr const char* marks = "/run/muster/delivered/";
constexpr const char* sequence_file = "/run/muster/sequence";
constexpr const char* sequence_lock = "/run/muster/sequence.lock";

std::string mark_of(const std::string& name) {
    return std::string(marks) + name;
}

/// For the moment that it takes to write a number. A message must go out even where the lock is not
/// to be had: its holder may have been stopped in the middle.
std::optional<Lock> lock_sequence(const Files& files) {
    for (int tries = 0; tries < 400; ++tries) {
        auto lock = Lock::take(files.real(sequence_lock).string());
        if (lock) return std::move(*lock);
        if (lock.error().code != Errc::conflict) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return std::nullopt;
}

} // namespace

Spool::Spool(const Files& files, FarSpool* far) : files_(files), near_(files, folder), far_(far) {}

std::string Spool::name_of(const std::string& boot_id, unsigned sequence, const std::string& sink) {
    return fmt::format("{}-{:06}-{}.json", boot_id, sequence, sink);
}

Result<void> Spool::put(const SpoolEntry& entry) const {
    const auto gone = near_.put(entry);
    if (!gone) return fail(gone.error());
    for (const auto& name : *gone)
        log::warning("the spool is full: the oldest is dropped", {{"name", name}});
    return {};
}

void Spool::keep(SpoolEntry& entry) const {
    const auto kept = put(entry);
    entry.unkept = !kept;
    if (!kept) log::error("report can't be spooled", {{"error", kept.error().message}});
}

void Spool::keep_far(const SpoolEntry& entry) const {
    if (far_ == nullptr || entry.far || !is_verdict(outcome_of(entry.message.body))) return;
    const auto kept = far_->keep(entry);
    if (!kept) log::warning("nothing survives a reboot", {{"error", kept.error().message}});
}

void Spool::drop_near(const SpoolEntry& entry) const {
    if (entry.far) {
        const auto marked = files_.write(mark_of(entry.name), "");
        if (!marked) log::warning("can't be marked", {{"error", marked.error().message}});
    }
    const auto dropped = near_.drop(entry.name);
    if (!dropped)
        log::warning("spool entry can't be removed", {{"error", dropped.error().message}});
}

void Spool::drop_far(const std::vector<std::string>& names) const {
    if (far_ == nullptr || names.empty()) return;
    const auto dropped = far_->drop(names);
    if (!dropped)
        log::warning("spool entry can't be removed", {{"error", dropped.error().message}});
}

void Spool::drop(const SpoolEntry& entry) const {
    drop_near(entry);
    if (entry.far) drop_far({entry.name});
}

void Spool::drop_unusable(const SpoolContent& content) const {
    for (const auto& name : content.unusable)
        drop_near({.name = name});
    drop_far(content.unusable_far);
}

SpoolContent Spool::read(const std::string& this_boot) const {
    auto content = near_.read();
    auto far = far_ != nullptr ? far_->read() : SpoolContent();
    if (!far) content.unread.push_back(far.error());
    for (auto& entry : far.value_or(SpoolContent()).entries) {
        const auto near = std::ranges::find(content.entries, entry.name, &SpoolEntry::name);
        if (near != content.entries.end()) {
            near->far = true;
        } else if (still_has(entry)) {
            content.entries.push_back(std::move(entry));
        }
    }
    if (far) {
        content.unusable_far = std::move(far->unusable);
        std::ranges::move(far->unread, std::back_inserter(content.unread));
    }
    sort_entries(content.entries, this_boot);
    return content;
}

bool Spool::still_has(const SpoolEntry& entry) const {
    if (entry.unkept) return true;
    if (entry.far) return !files_.exists(mark_of(entry.name));
    return near_.has(entry.name);
}

Result<Lock> Spool::lock(const std::string& sink) const {
    return Lock::take(files_.real("/run/muster/spool-" + sink + ".lock").string());
}

unsigned next_sequence(const Files& files) {
    const auto lock = lock_sequence(files);
    unsigned last = 0;
    const auto text = files.read_value(sequence_file).value_or("0");
    std::from_chars(text.data(), text.data() + text.size(), last);
    const auto written = files.write(sequence_file, std::to_string(last + 1));
    if (!written) log::warning("sequence can't be kept", {{"error", written.error().message}});
    return last + 1;
}

} // namespace muster
