#include "probes/root_io.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "probes/io_evidence.h"

namespace muster::probes {
namespace {

constexpr Duration pause_between = std::chrono::seconds(1);
constexpr std::uint32_t read_length = 4096;

/// Start, end, and another place in between each time (by the golden ratio, which never comes near
/// an earlier one): a volume can be stuck on part of its replicas only.
std::vector<std::uint64_t> places(std::uint64_t size, unsigned round) {
    if (size < 3 * std::uint64_t{read_length}) return {0};
    const auto aligned = [](std::uint64_t offset) { return offset / read_length * read_length; };
    const double part = std::fmod(0.5 + round * 0.6180339887, 1.0);
    const auto between = static_cast<std::uint64_t>(part * static_cast<double>(size - read_length));
    return {0, aligned(between), aligned(size - read_length)};
}

/// "" for an error that says nothing about the volume.
std::string code_of(Errc code) {
    switch (code) {
    case Errc::stuck: return "root-stuck";
    case Errc::io: return "root-io-error";
    case Errc::read_only: return "root-read-only";
    case Errc::full: return "root-full";
    default: return "";
    }
}

} // namespace

RootIo::RootIo(const Files& files, Kernel& kernel, Clock& clock, Duration io_deadline, bool writes)
    : files_(files), kernel_(kernel), clock_(clock), io_deadline_(io_deadline), writes_(writes),
      next_(clock.now()) {
    if (const auto mount = root_mount(files)) device_ = root_device(files, *mount);
}

void RootIo::begin() {
    since_ = clock_.now();
    const auto keep = [&](const char* what, Result<std::unique_ptr<PendingIo>> io) {
        if (io) {
            tries_.push_back({what, std::move(*io)});
        } else {
            take(what, fail(io.error()));
        }
    };
    if (device_) {
        keep("reads", kernel_.start_read("/dev/" + device_->name, places(device_->size, rounds_),
                                         read_length));
    }
    if (writes_) keep("writes", kernel_.start_write(root_probe_folder, std::nullopt));
    ++rounds_;
}

void RootIo::take(const char* what, const Result<Duration>& took) {
    if (took) {
        auto& slowest = slowest_[what];
        slowest = std::max(slowest, *took);
        impossible_.erase(what);
        return;
    }
    const auto& [code, message] = took.error();
    if (const auto reason = code_of(code); !reason.empty()) {
        fail_with(failed("root", "io", reason, fmt::format("/: {}", message)));
    } else {
        impossible_[what] = message;
    }
}

void RootIo::fail_with(Finding finding) {
    if (failure_) return;
    if (device_) {
        finding.evidence["kernel"] =
            io_evidence(files_, kernel_, device_->name, Deadline::in(clock_, witness_limit));
    }
    failure_ = std::move(finding);
}

Finding RootIo::stuck() {
    std::string what;
    for (const auto& each : tries_)
        what += (what.empty() ? "" : " and ") + std::string(each.what);
    return failed("root", "io", "root-stuck",
                  fmt::format("/: {} have neither succeeded nor failed in {:.1f} s", what,
                              seconds(clock_.now() - since_)));
}

void RootIo::tick() {
    if (!is_busy()) {
        if (failure_ || clock_.now() < next_) return;
        begin();
    }
    std::erase_if(tries_, [&](Try& each) {
        if (!each.io->ended({clock_.now()})) return false;
        take(each.what, each.io->result());
        return true;
    });
    if (!is_busy()) {
        next_ = clock_.now() + pause_between;
    } else if (clock_.now() - since_ >= io_deadline_) {
        fail_with(stuck());
    }
}

Finding RootIo::finish(Deadline deadline) {
    const Instant asked = clock_.now();
    next_ = asked;
    while (!failure_) {
        tick();
        if (!is_busy() && rounds_ > 0 && since_ >= asked) return summary();
        if (failure_) break;
        if (deadline.passed(clock_)) {
            return unknown("root", "io",
                           fmt::format("/: I/O that began {:.1f} s ago has not come back",
                                       seconds(clock_.now() - since_)));
        }
        next_ = clock_.now();
        if (is_busy()) {
            (void)tries_.front().io->ended({std::min(deadline.at, since_ + io_deadline_)});
        }
    }
    return *failure_;
}

Finding RootIo::summary() const {
    std::string told;
    auto evidence = nlohmann::json::object();
    for (const auto& [what, slowest] : slowest_) {
        if (impossible_.contains(what)) continue; // what was once says nothing of now
        told += (told.empty() ? "" : " and ") + what;
        evidence["slowest_" + what + "_seconds"] = seconds(slowest);
    }
    for (const auto& [what, why] : impossible_)
        evidence["no_" + what] = why;
    evidence["rounds"] = rounds_;
    auto finding = told.empty()
                       ? unknown("root", "io",
                                 fmt::format("/: no I/O could be tried: {}",
                                             impossible_.empty() ? "it lies on no block device"
                                                                 : impossible_.begin()->second))
                       : pass("root", "io", fmt::format("/ answers {}", told));
    finding.gating =
        writes_ || !told.empty(); // for one who may only read there may be nothing to read
    finding.evidence = std::move(evidence);
    if (device_) finding.evidence["device"] = device_->name;
    return finding;
}

} // namespace muster::probes
