#include "probes/ebs.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "probes/attach_polls.h"
#include "probes/block_devices.h"
#include "probes/ebs_write.h"
#include "probes/ephemeral.h"
#include "probes/io_evidence.h"

namespace muster::probes {
namespace {

// EBS answers within milliseconds; after this witnesses are asked.
constexpr Duration slow = std::chrono::seconds(1);
constexpr Duration identify_limit = std::chrono::seconds(5);
constexpr std::uint32_t read_length = 4096;

std::string without_dash(std::string id) {
    std::erase(id, '-');
    return id;
}

/// One look at the machine's disks, with EC2's own names for the NVMe ones.
class Look {
  public:
    Look(Kernel& kernel, Clock& clock, std::vector<Disk> disks, Deadline deadline)
        : kernel_(kernel), clock_(clock), disks_(std::move(disks)), deadline_(deadline) {}

    /// The disk that was attached as `device`.
    [[nodiscard]] const Disk* attached_as(std::string_view device) {
        for (const auto& disk : disks_) {
            if (disk.model != ebs_model) continue;
            const auto& name = vendor_name(disk);
            if (!name.empty() && same_device_name(name, device)) return &disk;
        }
        auto name = device;
        if (name.starts_with("/dev/")) name.remove_prefix(5);
        const auto nodes = resolve_mapped_name(kernel_, name);
        if (!nodes) {
            if (no_name_.empty()) no_name_ = nodes.error().message;
            return nullptr;
        }
        for (const auto& disk : disks_) {
            // The node's name proves something only where the kernel took it from the mapping
            // (Xen); an NVMe disk's node has a number that changes from boot to boot.
            if (disk.model.empty() &&
                std::ranges::find(*nodes, DeviceNumber{disk.major, disk.minor},
                                  &DeviceNode::number) != nodes->end()) {
                return &disk;
            }
        }
        return nullptr;
    }

    [[nodiscard]] const Disk* with_serial(const std::string& serial) const {
        const auto found = std::ranges::find(disks_, serial, &Disk::serial);
        return found == disks_.end() ? nullptr : &*found;
    }

    /// Xen's disks have neither model nor serial, so no volume can be told by its id.
    [[nodiscard]] bool tells_no_ids() const {
        return std::ranges::none_of(disks_,
                                    [](const Disk& disk) { return disk.model == ebs_model; }) &&
               std::ranges::any_of(disks_, [](const Disk& disk) {
                   return disk.model.empty() && disk.serial.empty();
               });
    }

    /// Why a volume that was not found might be there all the same; "" where that can't be.
    [[nodiscard]] std::string doubt() const {
        for (const auto& disk : disks_) {
            if (!disk.unknown.empty()) return disk.node + ": " + disk.unknown.front();
        }
        return no_name_;
    }

  private:
    /// Asked once a look: a disk that is stuck takes `identify_limit` each time.
    const std::string& vendor_name(const Disk& disk) {
        const auto [known, first] = names_.try_emplace(disk.name);
        if (!first) return known->second;
        const auto data = kernel_.identify(disk.node, deadline_.clipped(clock_, identify_limit));
        if (data) {
            known->second = parse_vendor_name(*data);
        } else if (no_name_.empty()) {
            no_name_ = disk.node + ": " + data.error().message;
        }
        return known->second;
    }

    Kernel& kernel_;
    Clock& clock_;
    std::vector<Disk> disks_;
    Deadline deadline_;
    std::map<std::string, std::string> names_;
    std::string no_name_; ///< the first look at a name that failed, and how
};

std::string described(const ExpectedVolume& volume) {
    std::string text = volume.name;
    if (volume.volume_id) text += " " + *volume.volume_id;
    if (volume.device) text += " at " + *volume.device;
    return text;
}

std::optional<Disk> find(Look& look, const ExpectedVolume& volume) {
    if (volume.volume_id) {
        const auto* disk = look.with_serial(without_dash(*volume.volume_id));
        if (disk != nullptr) return *disk;
    }
    // Also where the id is known: somebody else's volume at this name is `ebs-wrong`, not missing;
    // and a Xen disk has no serial at all.
    if (volume.device) {
        const auto* disk = look.attached_as(*volume.device);
        if (disk != nullptr) return *disk;
    }
    return std::nullopt;
}

Finding wrong(const ExpectedVolume& volume, std::string message) {
    return failed("ebs", volume.name, "ebs-wrong", std::move(message));
}

/// Start, middle and end: a volume can be stuck on part of its replicas only.
std::vector<std::uint64_t> probe_offsets(std::uint64_t size) {
    const auto aligned = [](std::uint64_t offset) { return offset / read_length * read_length; };
    if (size < 3 * std::uint64_t{read_length}) return {0};
    return {0, aligned(size / 2), aligned(size - read_length)};
}

/// What is wrong with a disk before anything is read from it; nothing where all is well so far.
std::optional<Finding> objection(const ExpectedVolume& volume, const Disk& disk) {
    if (!disk.unknown.empty()) {
        return unknown("ebs", volume.name,
                       fmt::format("{}: {}", described(volume), disk.unknown.front()));
    }
    if (volume.volume_id && !disk.serial.empty() &&
        disk.serial != without_dash(*volume.volume_id)) {
        return wrong(volume, fmt::format("{}: found volume {} there ({}); attach the right one",
                                         described(volume), disk.serial, disk.node));
    }
    if (volume.min_size && disk.size < *volume.min_size) {
        return wrong(volume,
                     fmt::format("{}: {} has {} bytes, expected {} at least", described(volume),
                                 disk.node, disk.size, *volume.min_size));
    }
    return std::nullopt;
}

/// A volume that was found and is being read from.
struct Reading {
    std::size_t index = 0; ///< of the volume, and of its report
    Disk disk;
    std::unique_ptr<PendingIo> io;
    Instant since;
    Deadline limit;
    nlohmann::json before; ///< what was witnessed when it was slow
};

nlohmann::json facts_of(const Disk& disk) {
    return {{"device", disk.node}, {"serial", disk.serial}, {"size", disk.size}};
}

Finding finding_of(const ExpectedVolume& volume, const Disk& disk, const Result<Duration>& took) {
    if (took) {
        auto finding = pass("ebs", volume.name,
                            fmt::format("{}: {} answers reads", described(volume), disk.node));
        finding.evidence = facts_of(disk);
        finding.evidence["slowest_read_seconds"] = seconds(*took);
        return finding;
    }
    const auto& [code, message] = took.error();
    auto finding = code == Errc::io ? failed("ebs", volume.name, "ebs-io-error",
                                             fmt::format("{}: {}", described(volume), message))
                                    : unknown("ebs", volume.name,
                                              fmt::format("{}: {}", described(volume), message));
    finding.evidence = facts_of(disk);
    return finding;
}

/// The volumes that are waited for, and those that are read from: side by side, so that four stuck
/// ones take the time of one.
class Search {
  public:
    Search(const Files& files, Kernel& kernel, Clock& clock,
           const std::vector<ExpectedVolume>& expected, Duration io_deadline, Deadline deadline,
           const WaitNotice& notice)
        : files_(files), kernel_(kernel), clock_(clock), expected_(expected),
          io_deadline_(io_deadline), deadline_(deadline), notice_(notice), start_(clock.now()),
          watch_(kernel.watch_blocks()), reports_(expected.size()) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            sought_.insert(i);
    }

    std::vector<VolumeReport> run() {
        while (true) {
            if (!sought_.empty()) look();
            std::erase_if(readings_, [this](Reading& reading) { return is_over(reading); });
            if (sought_.empty() && readings_.empty()) break;
            wait();
        }
        write();
        return std::move(reports_);
    }

  private:
    void look() {
        ++polls_;
        const auto disks = read_disks(files_, kernel_);
        Look look(kernel_, clock_, disks.value_or(std::vector<Disk>{}), deadline_);
        std::erase_if(sought_, [&](std::size_t index) {
            const auto& volume = expected_[index];
            const auto disk = find(look, volume);
            if (!disk && !limit_of(volume).passed(clock_)) {
                notice_(fmt::format("waiting for EBS volume {}", described(volume)),
                        limit_of(volume).at);
                return false;
            }
            reports_[index].wait = {.what = "ebs " + volume.name,
                                    .seconds = seconds(clock_.now() - start_),
                                    .polls = polls_,
                                    .outcome = disk ? "found" : "gave up"};
            if (disk) {
                begin(index, *disk);
            } else {
                reports_[index].finding = not_found(volume, disks, look);
            }
            return true;
        });
    }

    void begin(std::size_t index, const Disk& disk) {
        const auto& volume = expected_[index];
        auto& finding = reports_[index].finding;
        if (auto objected = objection(volume, disk)) {
            finding = std::move(*objected);
            return;
        }
        auto io = kernel_.start_read(disk.node, probe_offsets(disk.size), read_length);
        if (!io) {
            finding = finding_of(volume, disk, fail(io.error()));
            return;
        }
        readings_.push_back({.index = index,
                             .disk = disk,
                             .io = std::move(*io),
                             .since = clock_.now(),
                             .limit = deadline_.clipped(clock_, io_deadline_)});
    }

    bool is_over(Reading& reading) {
        const auto& volume = expected_[reading.index];
        auto& finding = reports_[reading.index].finding;
        if (reading.io->ended({clock_.now()})) {
            finding = finding_of(volume, reading.disk, reading.io->result());
            if (volume.write_probe && finding.status == Status::pass) {
                to_write_.push_back(
                    {.disk = reading.disk, .mounted_by = limit_of(volume), .finding = &finding});
            }
            return true;
        }
        const auto hangs_for = clock_.now() - reading.since;
        if (reading.limit.passed(clock_)) {
            finding = stuck(volume, reading);
            return true;
        }
        if (hangs_for >= slow && reading.before.is_null()) {
            reading.before = io_evidence(files_, kernel_, reading.disk.name,
                                         deadline_.clipped(clock_, witness_limit));
            notice_(fmt::format("reads of EBS volume {} have not come back", described(volume)),
                    reading.limit.at);
        }
        return false;
    }

    void write() {
        probe_writes(files_, kernel_, clock_, std::move(to_write_), io_deadline_, deadline_,
                     notice_);
    }

    Finding stuck(const ExpectedVolume& volume, const Reading& reading) {
        const auto took = clock_.now() - reading.since;
        const auto message =
            fmt::format("{}: reads of {} have neither succeeded nor failed in {:.1f} s",
                        described(volume), reading.disk.node, seconds(took));
        // One that was found when the boot job's time was nearly up had no time to answer.
        auto finding = took >= io_deadline_ ? failed("ebs", volume.name, "ebs-stuck", message)
                                            : unknown("ebs", volume.name, message);
        finding.evidence = facts_of(reading.disk);
        finding.evidence["when_slow"] = reading.before;
        finding.evidence["when_given_up"] =
            io_evidence(files_, kernel_, reading.disk.name, Deadline::in(clock_, witness_limit));
        return finding;
    }

    Finding not_found(const ExpectedVolume& volume, const Result<std::vector<Disk>>& disks,
                      const Look& look) const {
        if (!disks) return unknown("ebs", volume.name, disks.error().message);
        if (const auto doubt = look.doubt(); !doubt.empty()) {
            return unknown("ebs", volume.name,
                           fmt::format("{}: not found, but it may be a disk that does not say "
                                       "what it is: {}",
                                       described(volume), doubt));
        }
        if (volume.volume_id && !volume.device && look.tells_no_ids()) {
            // Not missing: the next machine of this type would say the same.
            return wrong(volume,
                         fmt::format("{}: no disk here tells which volume it is (Xen's have no "
                                     "serial), so it can't be found by its id alone; give its "
                                     "`device`, too",
                                     described(volume)));
        }
        if (volume.deadline == Duration::zero()) { // whoever watches does not wait for one
            return failed("ebs", volume.name, "ebs-missing", described(volume) + ": is not there");
        }
        return failed("ebs", volume.name, "ebs-missing",
                      fmt::format("{}: not there after {:.0f} s; attaching it has failed or is "
                                  "slow, and a new instance is quicker",
                                  described(volume), seconds(clock_.now() - start_)));
    }

    [[nodiscard]] Deadline limit_of(const ExpectedVolume& volume) const {
        return {std::min(deadline_.at, start_ + volume.deadline)};
    }

    /// The next moment at which it is looked for though nothing happened: events can be lost.
    [[nodiscard]] Instant next_poll(const ExpectedVolume& volume) const {
        const Duration waited = clock_.now() - start_;
        const auto after = [&](const auto& polls) {
            const auto next = std::ranges::upper_bound(polls, waited);
            return next == std::end(polls) ? Instant::max() : start_ + Duration(*next);
        };
        return volume.polls ? after(*volume.polls) : after(attach_polls);
    }

    /// Until something may have happened: a disk has come or gone, a read has ended, time is up.
    void wait() {
        Instant until = Instant::max();
        for (const auto index : sought_)
            until = std::min({until, limit_of(expected_[index]).at, next_poll(expected_[index])});
        for (const auto& reading : readings_)
            until = std::min(until, reading.limit.at);
        if (!readings_.empty()) until = std::min(until, clock_.now() + io_look_every);
        if (sought_.empty()) {
            (void)readings_.front().io->ended({until});
        } else {
            watch_->wait(until);
        }
    }

    const Files& files_;
    Kernel& kernel_;
    Clock& clock_;
    const std::vector<ExpectedVolume>& expected_;
    Duration io_deadline_;
    Deadline deadline_;
    const WaitNotice& notice_;
    Instant start_;
    std::unique_ptr<BlockWatch> watch_;
    std::vector<VolumeReport> reports_;
    std::set<std::size_t> sought_;
    std::vector<Reading> readings_;
    std::vector<WriteProbe> to_write_;
    unsigned polls_ = 0;
};

} // namespace

std::vector<VolumeReport> probe_volumes(const Files& files, Kernel& kernel, Clock& clock,
                                        const std::vector<ExpectedVolume>& expected,
                                        Duration io_deadline, Deadline deadline,
                                        const WaitNotice& notice) {
    return Search(files, kernel, clock, expected, io_deadline, deadline, notice).run();
}

std::vector<ExpectedVolume> volumes_of(const Mapping& mapping) {
    std::vector<ExpectedVolume> volumes;
    for (const auto& [name, device] : mapping) {
        if (name.starts_with("ebs")) volumes.push_back({.name = name, .device = "/dev/" + device});
    }
    return volumes;
}

std::string parse_vendor_name(std::string_view data) {
    constexpr std::size_t offset = 3072;
    constexpr std::size_t length = 32;
    if (data.size() < offset + length) return "";
    auto name = data.substr(offset, length);
    name = name.substr(0, name.find('\0'));
    while (name.ends_with(' '))
        name.remove_suffix(1);
    const bool plain = std::ranges::all_of(
        name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/'; });
    return plain ? std::string(name) : "";
}

} // namespace muster::probes
