#include "probes/ebs.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "probes/block_devices.h"
#include "probes/ephemeral.h"

namespace muster::probes {
namespace {

// A disk shows in sysfs within milliseconds of its event; a look costs about one.
constexpr Duration look_every = std::chrono::milliseconds(100);
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
        const auto numbers = resolve_mapped_name(kernel_, name);
        if (!numbers) {
            if (no_name_.empty()) no_name_ = numbers.error().message;
            return nullptr;
        }
        for (const auto& disk : disks_) {
            // The node's name proves something only where the kernel took it from the mapping
            // (Xen); an NVMe disk's node has a number that changes from boot to boot.
            if (disk.model.empty() &&
                std::ranges::find(*numbers, DeviceNumber{disk.major, disk.minor}) !=
                    numbers->end()) {
                return &disk;
            }
        }
        return nullptr;
    }

    [[nodiscard]] const Disk* with_serial(const std::string& serial) const {
        const auto found = std::ranges::find(disks_, serial, &Disk::serial);
        return found == disks_.end() ? nullptr : &*found;
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

Finding probe_found(Kernel& kernel, const ExpectedVolume& volume, const Disk& disk,
                    Deadline deadline) {
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
    const auto slowest =
        kernel.read_blocks(disk.node, probe_offsets(disk.size), read_length, deadline);
    if (slowest) {
        auto finding = pass("ebs", volume.name,
                            fmt::format("{}: {} answers reads", described(volume), disk.node));
        finding.evidence = {{"device", disk.node},
                            {"serial", disk.serial},
                            {"size", disk.size},
                            {"slowest_read_seconds", seconds(*slowest)}};
        return finding;
    }
    const auto& error = slowest.error();
    if (error.code == Errc::stuck) {
        return failed("ebs", volume.name, "ebs-stuck",
                      fmt::format("{}: reads of {} neither succeed nor fail: {}", described(volume),
                                  disk.node, error.message));
    }
    if (error.code == Errc::io) {
        return failed("ebs", volume.name, "ebs-io-error",
                      fmt::format("{}: {}", described(volume), error.message));
    }
    return unknown("ebs", volume.name, fmt::format("{}: {}", described(volume), error.message));
}

} // namespace

std::vector<VolumeReport> probe_volumes(const Files& files, Kernel& kernel, Clock& clock,
                                        const std::vector<ExpectedVolume>& expected,
                                        Duration io_deadline, Deadline deadline,
                                        const WaitNotice& notice) {
    const Instant start = clock.now();
    std::vector<VolumeReport> reports(expected.size());
    std::set<std::size_t> sought;
    for (std::size_t i = 0; i < expected.size(); ++i)
        sought.insert(i);

    for (unsigned polls = 1; !sought.empty(); ++polls) {
        const auto disks = read_disks(files, kernel);
        Look look(kernel, clock, disks.value_or(std::vector<Disk>{}), deadline);
        for (auto next = sought.begin(); next != sought.end();) {
            const auto& volume = expected[*next];
            auto& report = reports[*next];
            const Deadline limit{std::min(deadline.at, start + volume.deadline)};
            const auto disk = find(look, volume);
            if (!disk && !limit.passed(clock)) {
                notice(fmt::format("waiting for EBS volume {}", described(volume)), limit.at);
                ++next;
                continue;
            }
            report.wait = {.what = "ebs " + volume.name,
                           .seconds = seconds(clock.now() - start),
                           .polls = polls,
                           .outcome = disk ? "found" : "gave up"};
            if (disk) {
                report.finding =
                    probe_found(kernel, volume, *disk, deadline.clipped(clock, io_deadline));
            } else if (!disks) {
                report.finding = unknown("ebs", volume.name, disks.error().message);
            } else if (const auto doubt = look.doubt(); !doubt.empty()) {
                report.finding = unknown(
                    "ebs", volume.name,
                    fmt::format("{}: not found, but it may be a disk that does not say what it is: "
                                "{}",
                                described(volume), doubt));
            } else {
                report.finding = failed(
                    "ebs", volume.name, "ebs-missing",
                    fmt::format("{}: not there after {:.0f} s; attaching it has failed or is "
                                "slow, and a new instance is quicker",
                                described(volume), report.wait.seconds));
            }
            next = sought.erase(next);
        }
        if (!sought.empty()) clock.sleep_until(clock.now() + look_every);
    }
    return reports;
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
