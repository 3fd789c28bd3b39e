#include "tests/bench/fleet_simulation.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "agent/config/config.h"
#include "agent/delivery/courier.h"

namespace muster::fleet {
namespace {

// From the kernel's start to muster's.
constexpr Duration userland = std::chrono::seconds(5);
constexpr Duration second = std::chrono::seconds(1);
// Nothing is simulated beyond it; what is not delivered by then counts as never.
constexpr Instant end{std::chrono::hours(2)};

enum class Kind : std::uint8_t { start, verdict, attempt, answer, deliver };

struct Event {
    Instant at;
    std::uint32_t instance;
    std::uint16_t errand; ///< of the instance; one that is over concerns nobody
    Kind kind;
    [[nodiscard]] friend bool operator>(const Event& a, const Event& b) { return a.at > b.at; }
};

struct Instance {
    Instant booted{};
    Duration phase{};
    std::uint16_t errand = 0; ///< `in-progress`, the verdict, each `muster deliver`: one each
    bool verdict = false;     ///< it is the verdict that is sent
    bool spooled = false;     ///< by `muster deliver`
    unsigned tries = 0;       ///< of this errand
    unsigned all_tries = 0;
    Deadline deadline{};
    std::optional<Instant> timer; ///< the next start of `muster deliver`, while `run` goes on
    std::optional<Schedule> schedule;
    std::expected<void, SinkError> result; ///< of the try that is under way
};

class Fleet {
  public:
    Fleet(const Scenario& scenario, const Settings& settings, unsigned count, std::uint64_t seed)
        : scenario_(scenario), settings_(settings), conduct_(with_capacity(scenario, count)),
          endpoint_(conduct_), random_(seed), instances_(count) {}

    Outcome run() {
        for (std::uint32_t i = 0; i < instances_.size(); ++i) {
            auto& one = instances_[i];
            one.booted = Instant() + between({}, second);
            one.phase = between({}, std::chrono::minutes(1));
            one.timer = settings_.timer.next(one.booted, one.booted, {}, one.phase, random_);
            push(one.booted + userland, i, Kind::start);
        }
        while (!events_.empty() && events_.top().at < end) {
            const Event event = events_.top();
            events_.pop();
            now_ = event.at;
            take(event);
        }
        return finish();
    }

  private:
    static Conduct with_capacity(const Scenario& scenario, unsigned count) {
        auto conduct = scenario.conduct;
        conduct.capacity *= count;
        return conduct;
    }

    Duration between(Duration least, Duration most) {
        std::uniform_int_distribution<Duration::rep> draw(least.count(), most.count());
        return Duration(draw(random_));
    }

    void push(Instant at, std::uint32_t i, Kind kind) {
        events_.push({at, i, instances_[i].errand, kind});
    }

    void take(const Event& event) {
        const auto i = event.instance;
        auto& one = instances_[i];
        if (event.kind == Kind::verdict) return begin(i, true);
        if (event.errand != one.errand) return;
        switch (event.kind) {
        case Kind::start:
            push(now_ + between(scenario_.verdict_least, scenario_.verdict_most), i, Kind::verdict);
            return begin(i, false);
        case Kind::attempt: return attempt(i);
        case Kind::answer: return answer(i);
        case Kind::deliver: one.spooled = true; return begin(i, true);
        case Kind::verdict: return;
        }
    }

    /// A message, from its first try on. What was under way is overtaken.
    void begin(std::uint32_t i, bool verdict) {
        const Config defaults;
        auto& one = instances_[i];
        ++one.errand;
        one.verdict = verdict;
        one.tries = 0;
        const auto patience = one.spooled ? settings_.timer.patience
                              : verdict   ? defaults.report.deadline
                                          : defaults.deadline - defaults.report.deadline;
        one.deadline = {now_ + patience};
        if (verdict && !one.spooled) verdicts_from_ = std::min(verdicts_from_, now_);
        if (!settings_.naive)
            one.schedule.emplace(one.spooled ? deliver_backoff : courier_backoff, random_());
        attempt(i);
    }

    void attempt(std::uint32_t i) {
        auto& one = instances_[i];
        ++one.tries;
        ++one.all_tries;
        const auto at = static_cast<std::size_t>(now_.time_since_epoch() / second);
        if (arrived_.size() <= at) arrived_.resize(at + 1);
        ++arrived_[at];
        const auto limit = one.verdict ? try_limit : announce_try_limit;
        auto ending = endpoint_.request(
            now_, std::min(limit, std::max(one.deadline.at - now_, Duration(1))), random_);
        one.result = std::move(ending.result);
        push(ending.at, i, Kind::answer);
    }

    void answer(std::uint32_t i) {
        auto& one = instances_[i];
        if (one.result) {
            if (one.verdict) {
                delivered_.push_back(seconds(now_.time_since_epoch()));
                one.schedule.reset();
            }
            return;
        }
        if (settings_.naive) return push(now_ + settings_.naive(one.tries), i, Kind::attempt);
        if (const auto next = next_try(*one.schedule, one.result.error(), now_, one.deadline))
            return push(*next, i, Kind::attempt);
        if (one.verdict) leave_in_spool(i);
    }

    /// `run` or `deliver` ends. A start that is due while it runs waits for its end.
    void leave_in_spool(std::uint32_t i) {
        auto& one = instances_[i];
        one.schedule.reset();
        const auto& timer = settings_.timer;
        auto next = one.timer;
        one.timer.reset();
        if (one.spooled || !next) next = timer.next(now_, one.booted, now_, one.phase, random_);
        if (next) push(std::max(*next, now_), i, Kind::deliver);
    }

    Outcome finish() {
        const double down = seconds(conduct_.down_for);
        Outcome outcome{.instances = static_cast<unsigned>(instances_.size()),
                        .capacity = conduct_.capacity,
                        .from = std::max(down, seconds(verdicts_from_.time_since_epoch())),
                        .arrived = std::move(arrived_),
                        .delivered = std::move(delivered_)};
        for (const auto& one : instances_) {
            outcome.tries += one.all_tries;
            outcome.most_tries = std::max(outcome.most_tries, one.all_tries);
        }
        return outcome;
    }

    const Scenario& scenario_;
    const Settings& settings_;
    Conduct conduct_;
    Endpoint endpoint_;
    std::mt19937_64 random_;
    std::vector<Instance> instances_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    Instant now_{};
    Instant verdicts_from_ = end;
    std::vector<unsigned> arrived_;
    std::vector<double> delivered_;
};

} // namespace

double Outcome::took(double share) const {
    const auto nth = static_cast<std::size_t>(std::ceil(share * instances));
    if (nth == 0 || nth > delivered.size()) return std::numeric_limits<double>::infinity();
    return delivered[nth - 1] - from;
}

double Outcome::peak(double since, unsigned window) const {
    double most = 0;
    for (auto i = static_cast<std::size_t>(std::ceil(since)); i + window <= arrived.size(); ++i) {
        double sum = 0;
        for (std::size_t k = i; k < i + window; ++k)
            sum += arrived[k];
        most = std::max(most, sum / window);
    }
    return most;
}

Outcome simulate(const Scenario& scenario, const Settings& settings, unsigned instances,
                 std::uint64_t seed) {
    return Fleet(scenario, settings, instances, seed).run();
}

} // namespace muster::fleet
