#include "probes/ebs_write.h"

#include <algorithm>
#include <fmt/format.h>
#include <list>
#include <memory>
#include <set>

#include "probes/io_evidence.h"

namespace muster::probes {
namespace {

/// "259:1" of the disk, its partitions, and all that is stacked on them.
Result<std::set<std::string>> numbers_on(const Files& files, const Disk& disk) {
    std::vector<std::string> folders{"/sys/block/" + disk.name};
    for (const auto& partition : disk.partitions)
        folders.push_back("/sys/block/" + disk.name + "/" + partition);
    std::set<std::string> numbers;
    // Grows as it is gone through. A stack has no circles, but what sysfs says is not ours.
    for (std::size_t i = 0; i < folders.size(); ++i) {
        auto number = files.read_value(folders[i] + "/dev");
        if (!number) return fail(number.error());
        if (!numbers.insert(std::move(*number)).second) continue;
        const auto holders = files.list(folders[i] + "/holders");
        if (!holders) return fail(holders.error());
        for (const auto& holder : *holders)
            folders.push_back("/sys/block/" + holder);
    }
    return numbers;
}

/// One volume's write, from the wait for its mount to its end.
class Write {
  public:
    Write(const Files& files, Kernel& kernel, Clock& clock, WriteProbe probe, Duration io_deadline,
          Deadline deadline)
        : files_(files), kernel_(kernel), clock_(clock), probe_(std::move(probe)),
          io_deadline_(io_deadline), deadline_(deadline) {}

    /// Goes on with it; never waits. Whether it is over.
    bool tick(const WaitNotice& notice) {
        if (!io_ && !begin(notice)) return over_;
        if (io_->ended({clock_.now()})) {
            take(io_->result());
            return true;
        }
        if (!limit_.passed(clock_)) return false;
        give_up();
        return true;
    }

  private:
    /// Whether there is a write under way.
    bool begin(const WaitNotice& notice) {
        const Deadline patience{std::min(probe_.mounted_by.at, deadline_.at)};
        auto mount = mount_on(files_, probe_.disk);
        if (!mount && mount.error().code == Errc::absent && !patience.passed(clock_)) {
            notice(fmt::format("waiting for EBS volume {} to be mounted, for its write probe",
                               finding().subject),
                   patience.at);
            return false;
        }
        over_ = true;
        if (!mount) return take(fail(mount.error())), false;
        target_ = mount->target;
        auto io = kernel_.start_write(target_, DeviceNumber{mount->major, mount->minor});
        if (!io) return take(fail(io.error())), false;
        io_ = std::move(*io);
        since_ = clock_.now();
        limit_ = deadline_.clipped(clock_, io_deadline_);
        return true;
    }

    void take(const Result<Duration>& took) {
        if (took) {
            finding().message += fmt::format(", and writes at {}", target_);
            finding().evidence["write_seconds"] = seconds(*took);
            return;
        }
        const auto& [code, message] = took.error();
        // Whoever wants writes has a volume that takes none: the kernel remounts one read-only
        // after an error.
        const bool sick = code == Errc::io || code == Errc::read_only;
        replace(sick, "ebs-io-error", message);
    }

    void give_up() {
        const auto hung = clock_.now() - since_;
        replace(hung >= io_deadline_, "ebs-stuck",
                fmt::format("a write at {} has neither succeeded nor failed in {:.1f} s", target_,
                            seconds(hung)));
        finding().evidence["when_given_up"] =
            io_evidence(files_, kernel_, probe_.disk.name, Deadline::in(clock_, witness_limit));
    }

    void replace(bool sick, const char* code, const std::string& what) {
        const auto message = fmt::format("{} ({}): {}", finding().subject, probe_.disk.node, what);
        auto replaced = sick ? failed("ebs", finding().subject, code, message)
                             : unknown("ebs", finding().subject, message);
        replaced.evidence = finding().evidence;
        finding() = std::move(replaced);
    }

    Finding& finding() { return *probe_.finding; }

    const Files& files_;
    Kernel& kernel_;
    Clock& clock_;
    WriteProbe probe_;
    Duration io_deadline_;
    Deadline deadline_;
    std::string target_; ///< the mount point
    std::unique_ptr<PendingIo> io_;
    Instant since_;
    Deadline limit_;
    bool over_ = false;
};

} // namespace

Result<Mount> mount_on(const Files& files, const Disk& disk) {
    const auto numbers = numbers_on(files, disk);
    if (!numbers) return fail(numbers.error());
    const auto text = files.read("/proc/self/mountinfo", 4 << 20);
    if (!text) return fail(text.error());
    const auto mounts = parse_mountinfo(*text);
    if (!mounts) return fail(mounts.error());
    const auto found = std::find_if(mounts->rbegin(), mounts->rend(), [&](const Mount& mount) {
        return mount.root == "/" &&
               numbers->contains(fmt::format("{}:{}", mount.major, mount.minor));
    });
    if (found != mounts->rend()) return *found;
    return fail(Errc::absent, "no filesystem of it is mounted, so no write could be tried; mount "
                              "it before muster runs, or set write_probe to false");
}

void probe_writes(const Files& files, Kernel& kernel, Clock& clock, std::vector<WriteProbe> probes,
                  Duration io_deadline, Deadline deadline, const WaitNotice& notice) {
    std::list<Write> writes;
    for (auto& probe : probes)
        writes.emplace_back(files, kernel, clock, std::move(probe), io_deadline, deadline);
    while (true) {
        writes.remove_if([&](Write& write) { return write.tick(notice); });
        if (writes.empty()) return;
        clock.sleep_until(clock.now() + io_look_every);
    }
}

} // namespace muster::probes
