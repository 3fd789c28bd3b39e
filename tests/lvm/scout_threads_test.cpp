// The scout with the machine's own threads, for ThreadSanitizer too; its time is the test's.
#include <atomic>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "lvm/scout.h"
#include "tests/catch.h"
#include "tests/fakes/fake_command.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::lvm;
using namespace std::chrono_literals;

namespace {

/// Real threads, and a time that the test alone moves on.
class MovedClock : public Clock {
  public:
    [[nodiscard]] Instant now() const override { return Instant(1000s) + moved_.load(); }
    [[nodiscard]] WallTime wall() const override { return {}; }
    void sleep_until(Instant) override { throw std::logic_error("MovedClock: nothing sleeps"); }
    [[nodiscard]] std::unique_ptr<Job> start(std::string name,
                                             std::function<void()> work) override {
        return real_->start(std::move(name), std::move(work));
    }
    void wait(Job& job) override { real_->wait(job); }

    void advance(Duration by) { moved_ = moved_.load() + by; }

  private:
    std::unique_ptr<Clock> real_ = make_system_clock();
    std::atomic<Duration> moved_{0s};
};

/// Disks that are blank, and give no answer before they are allowed to.
class SlowDisks : public FakeKernel {
  public:
    Result<DiskContent> content(std::string_view, Deadline) override {
        asked.release();
        ++looks;
        allowed.acquire();
        ++ended;
        return DiskContent{.zeroed = true};
    }
    Result<bool> is_claimed(std::string_view, Deadline) override { return false; }

    std::counting_semaphore<> asked{0};
    std::counting_semaphore<> allowed{0};
    std::atomic<int> looks = 0;
    std::atomic<int> ended = 0;
};

struct Threads {
    Threads() {
        sysfs.put("/usr/sbin/lvm", "");
        commands.prints("LVM_SYSTEM_DIR= /usr/sbin/lvm version", "LVM version: 2.03.16(2)\n");
    }

    FakeSysfs sysfs;
    MovedClock clock;
    SlowDisks kernel;
    FakeCommands commands;
    Scout scout{{sysfs.files(), kernel, commands, clock}, Deadline::in(clock, 300s)};
    std::vector<Disk> disks{{.name = "nvme1n1", .node = "/dev/nvme1n1"},
                            {.name = "nvme2n1", .node = "/dev/nvme2n1"}};
};

} // namespace

TEST_CASE("scout: disks are looked at beside each other and beside LVM, and waited for") {
    Threads machine;
    machine.scout.begin(machine.disks); // comes back, though no disk has answered
    machine.kernel.asked.acquire();
    machine.kernel.asked.acquire(); // both are asked, and neither waits for the other
    REQUIRE(machine.scout.tool());
    CHECK(machine.scout.tool()->value().path == "/usr/sbin/lvm");
    machine.kernel.allowed.release(2);
    for (const auto& look : machine.scout.looks(machine.disks)) {
        REQUIRE(look);
        CHECK(look->content.zeroed);
    }
    CHECK(machine.kernel.looks == 2);
    CHECK(machine.commands.ran.size() == 1);
}

TEST_CASE("scout: a look that is still under way is not begun again, however old") {
    Threads machine;
    machine.disks.pop_back();
    machine.scout.begin(machine.disks);
    machine.kernel.asked.acquire();
    machine.clock.advance(3s);
    machine.scout.begin(machine.disks);
    machine.clock.advance(-3s); // or `looks`, coming after its end, would rightly find it too old
    machine.kernel.allowed.release(8); // for as many as there may be
    CHECK(machine.scout.looks(machine.disks).at(0));
    CHECK(machine.kernel.looks == 1);

    // Now that it is over it is too old.
    machine.clock.advance(3s);
    CHECK(machine.scout.looks(machine.disks).at(0));
    CHECK(machine.kernel.looks == 2);
}

TEST_CASE("scout: it does not go while what it has begun goes on") {
    Threads machine;
    const std::jthread late([&kernel = machine.kernel] {
        kernel.asked.acquire();
        kernel.asked.acquire();
        kernel.allowed.release(2);
    });
    {
        Scout scout({machine.sysfs.files(), machine.kernel, machine.commands, machine.clock},
                    Deadline::in(machine.clock, 300s));
        scout.begin(machine.disks);
    }
    CHECK(machine.kernel.ended == 2);
    CHECK(machine.commands.ran.size() == 1);
}
