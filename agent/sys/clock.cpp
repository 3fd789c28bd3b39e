#include "agent/sys/clock.h"

#include <cerrno>
#include <ctime>
#include <fmt/format.h>
#include <pthread.h>

namespace muster {
namespace {

Duration boottime() {
    timespec now{};
    // BOOTTIME goes on through a suspend, MONOTONIC stands still: a hibernated instance that wakes
    // must find its deadlines passed.
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

struct Thread : Job {
    pthread_t handle{};
    bool joinable = false;
    std::string name;
    std::function<void()> work;

    Thread(std::string thread_name, std::function<void()> thread_work)
        : name(std::move(thread_name)), work(std::move(thread_work)) {}
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() override {
        if (joinable) pthread_join(handle, nullptr);
    }

    static void* body(void* self) {
        auto* thread = static_cast<Thread*>(self);
        pthread_setname_np(pthread_self(), thread->name.c_str());
        thread->work();
        return nullptr;
    }
};

class SystemClock : public Clock {
  public:
    [[nodiscard]] Instant now() const override { return Instant(boottime()); }

    [[nodiscard]] WallTime wall() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }

    void sleep_until(Instant when) override {
        const auto at = when.time_since_epoch();
        const auto whole = std::chrono::floor<std::chrono::seconds>(at);
        const timespec until{.tv_sec = whole.count(), .tv_nsec = (at - whole).count()};
        while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, nullptr) == EINTR) {
        }
    }

    [[nodiscard]] std::unique_ptr<Job> start(std::string name,
                                             std::function<void()> work) override {
        auto thread = std::make_unique<Thread>(std::move(name), std::move(work));
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 256 << 10);
        thread->joinable =
            pthread_create(&thread->handle, &attributes, &Thread::body, thread.get()) == 0;
        pthread_attr_destroy(&attributes);
        // No thread to be had (a limit on tasks, say): the work is done all the same, only later.
        if (!thread->joinable) thread->work();
        return thread;
    }

    void wait(Job& job) override {
        auto& thread = static_cast<Thread&>(job);
        if (!thread.joinable) return;
        pthread_join(thread.handle, nullptr);
        thread.joinable = false;
    }
};

} // namespace

std::unique_ptr<Clock> make_system_clock() {
    return std::make_unique<SystemClock>();
}

std::string to_rfc3339(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

} // namespace muster
