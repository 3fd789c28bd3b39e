// A kernel whose disks and mounts are what a test says.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/sys/kernel.h"
#include "tests/catch.h"
#include "tests/fakes/fake_answers.h"
#include "tests/fakes/fake_clock.h"

namespace muster {

/// Looks ten times a second: what a test changes in between tells no events.
class FakeWatch : public BlockWatch {
  public:
    explicit FakeWatch(FakeClock& clock, std::function<void()> meanwhile = {})
        : clock_(clock), meanwhile_(std::move(meanwhile)) {}
    void wait(Instant until) override {
        clock_.sleep_until(std::min(until, clock_.now() + std::chrono::milliseconds(100)));
        if (meanwhile_) meanwhile_();
    }

  private:
    FakeClock& clock_;
    std::function<void()> meanwhile_;
};

/// I/O that ends after a while, or at once with an error, or never.
class FakeIo : public PendingIo {
  public:
    FakeIo(FakeClock* clock, Result<Duration> result)
        : clock_(clock), result_(std::move(result)),
          end_(clock == nullptr ? Instant{} : clock->now() + result_.value_or(Duration::zero())) {}

    [[nodiscard]] bool ended(Deadline deadline) override {
        if (clock_ == nullptr) return true;
        const bool stuck = !result_ && result_.error().code == Errc::stuck;
        if (!stuck && end_ <= clock_->now()) return true;
        const bool in_time = !stuck && end_ <= deadline.at;
        clock_->sleep_until(in_time ? end_ : deadline.at);
        return in_time;
    }
    [[nodiscard]] Result<Duration> result() override { return result_; }

  private:
    FakeClock* clock_;
    Result<Duration> result_;
    Instant end_;
};

/// Answers are laid out per node (for `space`, `mount` and writes: per path); what was not laid out
/// fails the test. An answer of `stuck` takes until the deadline, if there is a clock.
class FakeKernel : public Kernel {
  public:
    explicit FakeKernel(FakeClock* clock = nullptr) : clock_(clock) {}

    struct Read {
        std::string node;
        std::vector<std::uint64_t> offsets;
        std::uint32_t length = 0;
    };

    // `fake.devices["/dev/nvme1n1"].set(DeviceNumber{259, 1})`; `add` lays out one after another.
    std::map<std::string, FakeAnswers<DeviceNumber>> devices;
    std::set<std::string> links; ///< those of `devices` that are links
    std::map<std::string, FakeAnswers<Duration>> reads;
    std::map<std::string, FakeAnswers<Duration>> writes; ///< by folder
    std::map<std::string, FakeAnswers<std::string>> log_pages;
    Result<std::vector<std::string>> log = std::vector<std::string>{};
    std::map<std::string, FakeAnswers<DiskContent>> contents;
    std::map<std::string, FakeAnswers<std::string>> identities;
    std::map<std::string, FakeAnswers<bool>> claims;
    std::map<std::string, FakeAnswers<std::string>> groups;
    std::map<std::string, FakeAnswers<Space>> spaces;
    /// A folder that was not laid out is absent: most machines have no checks.
    std::map<std::string, FakeAnswers<std::vector<FolderEntry>>> folders;
    std::map<std::string, FakeAnswers<void>> mounts; ///< by target
    std::map<std::string, FakeAnswers<MountPoint>> points;

    std::function<void()> meanwhile; ///< what happens while somebody waits for disks

    // What was asked, in order.
    std::vector<Read> was_read;
    std::vector<std::string> was_written;
    std::vector<std::string> was_probed;
    std::vector<MountRequest> was_mounted;

    [[nodiscard]] Result<DeviceNumber> block_device(std::string_view node) override {
        return answer(devices, "block_device", node);
    }
    [[nodiscard]] Result<DeviceNode> device_node(std::string_view path) override {
        const auto number = answer(devices, "device_node", path);
        if (!number) return fail(number.error());
        return DeviceNode{*number, links.contains(std::string(path))};
    }

    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_read(std::string_view node, const std::vector<std::uint64_t>& offsets,
               std::uint32_t length) override {
        was_read.push_back({std::string(node), offsets, length});
        return std::make_unique<FakeIo>(clock_, answer(reads, "start_read", node));
    }

    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_write(std::string_view folder, std::optional<DeviceNumber>) override {
        was_written.emplace_back(folder);
        return std::make_unique<FakeIo>(clock_, answer(writes, "start_write", folder));
    }

    [[nodiscard]] Result<DiskContent> content(std::string_view node, Deadline deadline) override {
        was_probed.emplace_back(node);
        return timed(answer(contents, "content", node), deadline);
    }

    [[nodiscard]] Result<bool> is_claimed(std::string_view node, Deadline deadline) override {
        return timed(answer(claims, "is_claimed", node), deadline);
    }

    [[nodiscard]] Result<std::string> volume_group(std::string_view node,
                                                   Deadline deadline) override {
        return timed(answer(groups, "volume_group", node), deadline);
    }

    /// None, unless a test says so.
    [[nodiscard]] Result<Openers> openers(const std::vector<DeviceNumber>&, Deadline) override {
        return Openers{};
    }
    [[nodiscard]] Result<Wiped> wipe(const WipeRequest&, Deadline) override {
        return fail(Errc::internal, "not in this fake");
    }

    [[nodiscard]] Result<std::string> identify(std::string_view node, Deadline deadline) override {
        return timed(answer(identities, "identify", node), deadline);
    }

    /// Where none was laid out there is no such page.
    [[nodiscard]] Result<std::string> log_page(std::string_view node, std::uint8_t, std::uint32_t,
                                               Deadline deadline) override {
        if (!log_pages.contains(std::string(node))) return fail(Errc::io, "NVMe status 265");
        return timed(answer(log_pages, "log_page", node), deadline);
    }

    [[nodiscard]] Result<std::vector<std::string>> log_records() override { return log; }

    [[nodiscard]] Result<Space> space(std::string_view path, Deadline deadline) override {
        return timed(answer(spaces, "space", path), deadline);
    }

    [[nodiscard]] Result<std::vector<FolderEntry>> folder(std::string_view path,
                                                          Deadline deadline) override {
        if (!folders.contains(std::string(path))) {
            return fail(Errc::absent, std::string(path) + ": no such folder");
        }
        return timed(answer(folders, "folder", path), deadline);
    }

    [[nodiscard]] Result<void> make_quiet_nodes(const std::vector<Disk>&) override {
        return fail(Errc::denied, "not in this fake");
    }
    void drop_quiet_nodes() override {}

    [[nodiscard]] std::unique_ptr<BlockWatch> watch_blocks() override {
        REQUIRE(clock_ != nullptr);
        return std::make_unique<FakeWatch>(*clock_, meanwhile);
    }

    /// One that was not laid out is a folder of its own, empty.
    [[nodiscard]] Result<MountPoint> mount_point(std::string_view target,
                                                 Deadline deadline) override {
        if (!points.contains(std::string(target))) {
            return MountPoint{.path = std::string(target), .mounted = {}, .entries = {}};
        }
        return timed(answer(points, "mount_point", target), deadline);
    }

    [[nodiscard]] Result<void> mount(const MountRequest& request, Deadline deadline) override {
        was_mounted.push_back(request);
        return timed(answer(mounts, "mount", request.target), deadline);
    }

  private:
    template <class T>
    static Result<T> answer(std::map<std::string, FakeAnswers<T>>& answers, std::string_view call,
                            std::string_view key) {
        const auto found = answers.find(std::string(key));
        if (found == answers.end()) {
            FAIL("FakeKernel: no answer for " << call << " of " << key);
        }
        return found->second.next();
    }

    template <class T>
    Result<T> timed(Result<T> result, Deadline deadline) {
        if (clock_ != nullptr && !result && result.error().code == Errc::stuck) {
            clock_->sleep_until(deadline.at);
        }
        return result;
    }

    FakeClock* clock_;
};

} // namespace muster
