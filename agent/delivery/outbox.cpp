#include "agent/delivery/outbox.h"

#include <algorithm>
#include <random>
#include <tuple>
#include <utility>

#include "agent/delivery/courier.h"
#include "agent/delivery/leftovers.h"
#include "agent/report.h"
#include "agent/sys/log.h"

namespace muster {
namespace {

constexpr Duration last_try_limit = std::chrono::seconds(3);
constexpr Duration under_way_limit = std::chrono::seconds(1);
// A sink that is down for hours costs a try every five minutes at the most.
constexpr Backoff backoff{.base = std::chrono::seconds(2), .cap = std::chrono::minutes(5)};
// A day of a machine that flaps as fast as the hysteresis lets it has more; nobody reads them.
constexpr std::size_t max_waiting = 100;
// How soon the end of the last tries is noticed.
constexpr Duration slice = std::chrono::milliseconds(20);
// How soon we look again whether another process has done with a sink.
constexpr Duration lock_pause = std::chrono::milliseconds(500);
constexpr Instant never = Instant::max();

} // namespace

struct Outbox::Route {
    Route(SinkConfig of, Clock& clock)
        : config(std::move(of)), schedule(backoff, std::random_device{}()), work(clock) {}

    SinkConfig config;
    std::unique_ptr<Sink> sink; ///< none where it can't be made
    std::atomic<bool> cancelled = false;
    std::deque<SpoolEntry> waiting;
    std::set<std::string> refused; ///< for good; they stay in the spool for `muster deliver`
    std::optional<Message> once;
    Schedule schedule;
    Instant next{}; ///< no try before that
    bool failing = false;

    Background work;
    std::string under_way;    ///< the entry's name; "" for `once`
    std::optional<Lock> lock; ///< of the sink, while one of the spool's is under way
    std::expected<void, SinkError> result;
    std::vector<SpoolEntry> last; ///< copies, for the last tries
    std::size_t last_delivered = 0;
};

Outbox::Outbox(const Files& files, Clock& clock, SinkMaker make_sink, FarSpool* far)
    : files_(files), clock_(clock), make_sink_(std::move(make_sink)), spool_(files, far),
      reading_(clock), dropping_(clock) {}

Outbox::~Outbox() = default;

std::unique_ptr<Outbox::Route> Outbox::make_route(const SinkConfig& config) const {
    auto route = std::make_unique<Route>(config, clock_);
    auto* flag = &route->cancelled;
    auto sink = make_sink_(config, [flag] { return flag->load(); });
    if (sink) {
        route->sink = std::move(*sink);
    } else {
        log::error("sink can't be used", {{"sink", config.name}, {"error", sink.error().message}});
    }
    return route;
}

void Outbox::open(const std::vector<SinkConfig>& sinks) {
    std::vector<std::unique_ptr<Route>> routes;
    for (const auto& config : sinks) {
        routes.push_back(make_route(config));
        for (auto& old : routes_) {
            if (old->config.name == config.name) routes.back()->waiting = std::move(old->waiting);
        }
    }
    routes_ = std::move(routes);
}

void Outbox::pick_up(const std::string& boot_id, Duration quiet) {
    if (reading_.busy()) return;
    boot_id_ = boot_id;
    quiet_ = quiet;
    reading_.start("spool", [this] { found_ = read_leftovers(spool_, files_, clock_); });
}

void Outbox::take_in() {
    if (!reading_.take_end()) return;
    for (auto& route : routes_) {
        std::erase_if(route->waiting, [&](const SpoolEntry& entry) {
            return age_of(entry, boot_id_, clock_) > worth_sending_for;
        });
    }
    for (const auto& entry : found_.entries) {
        if (entry.boot_id == boot_id_ && statement_of(entry).outcome == "stopping") {
            drop(entry); // we are here again
            continue;
        }
        if (clock_.wall() - entry.time < quiet_) continue;
        for (auto& route : routes_)
            take_in(*route, entry);
    }
}

void Outbox::take_in(Route& route, const SpoolEntry& entry) {
    const bool known = std::ranges::count(route.waiting, entry.name, &SpoolEntry::name) > 0;
    if (route.config.name != entry.sink || known || route.refused.contains(entry.name)) return;
    if (route.config.acting() && !may_be_acted_on(entry, here_and_now(files_))) {
        drop(entry);
        return;
    }
    route.waiting.push_back(entry);
    // Those of boots that are over come as the spool has them: in their order, once.
    std::ranges::stable_sort(route.waiting, {}, [&](const SpoolEntry& each) {
        const bool ours = each.boot_id == boot_id_;
        return std::tuple(ours, ours ? each.sequence : 0);
    });
}

void Outbox::drop(const SpoolEntry& entry) {
    spool_.drop_near(entry);
    if (entry.far) far_drops_.push_back(entry.name);
}

void Outbox::begin_far_drops() {
    (void)dropping_.take_end();
    if (far_drops_.empty() || dropping_.busy()) return;
    dropping_.start("unspool", [this, names = std::exchange(far_drops_, {})] {
        spool_.drop_far(names); // what stays there has its mark, and is dropped after a reboot
    });
}

void Outbox::put(const nlohmann::ordered_json& report) {
    const Message message{.body = serialized(report), .key = idempotency_key(report)};
    for (auto& route : routes_) {
        const unsigned sequence = report["sequence"];
        const std::string boot_id = report["boot_id"];
        if (route->config.acting()) continue; // only a boot's verdict is for these
        SpoolEntry entry{.name = Spool::name_of(boot_id, sequence, route->config.name),
                         .sink = route->config.name,
                         .boot_id = boot_id,
                         .sequence = sequence,
                         .time = clock_.wall(),
                         .message = message};
        spool_.keep(entry);
        // What waits may be made void by it; what is under way is a copy.
        const auto now = statement_of(entry);
        for (auto& earlier : route->waiting) {
            if (makes_void(now, statement_of(earlier)))
                earlier.message.body = superseded(earlier.message.body);
        }
        route->waiting.push_back(std::move(entry));
        bound(*route);
    }
}

void Outbox::put_once(const nlohmann::ordered_json& report) {
    const Message message{.body = serialized(report), .key = idempotency_key(report)};
    for (auto& route : routes_) {
        if (!route->config.acting()) route->once = message;
    }
}

/// The oldest that is not a verdict goes: that one is what a scaler waits for.
void Outbox::bound(Route& route) {
    if (route.waiting.size() <= max_waiting) return;
    const auto oldest = std::ranges::find_if(route.waiting, [&](const SpoolEntry& entry) {
        const auto outcome = statement_of(entry).outcome;
        return outcome != "ready" && outcome != "failed" && entry.name != route.under_way;
    });
    if (oldest == route.waiting.end()) return;
    log::warning("too many wait for the sink, one is dropped",
                 {{"sink", route.config.name}, {"name", oldest->name}});
    drop(*oldest);
    route.waiting.erase(oldest);
}

/// Whether the first that waits is ours to send: one that another process has sent is forgotten.
bool Outbox::claim(Route& route) {
    auto lock = spool_.lock(route.config.name);
    if (!lock && lock.error().code == Errc::conflict) {
        route.next = clock_.now() + lock_pause;
        return false;
    }
    while (!route.waiting.empty() && !spool_.still_has(route.waiting.front()))
        route.waiting.pop_front();
    if (route.waiting.empty()) return false;
    if (lock) route.lock.emplace(std::move(*lock));
    return true;
}

void Outbox::begin(Route& route) {
    if (!route.sink || clock_.now() < route.next) return;
    if (!route.waiting.empty()) route.once.reset(); // what is sent instead is a sign of life, too
    if (!route.once && (route.waiting.empty() || !claim(route))) return;
    const auto message = route.once ? *route.once : route.waiting.front().message;
    route.under_way = route.once ? "" : route.waiting.front().name;
    route.once.reset();
    route.work.start("deliver",
                     [&route, message] { route.result = route.sink->deliver(message, try_limit); });
}

void Outbox::collect(Route& route) {
    if (route.result) {
        take_success(route);
    } else {
        take_failure(route, route.result.error());
    }
    route.under_way.clear();
    route.lock.reset();
}

void Outbox::take_success(Route& route) {
    ++delivered_;
    if (route.failing) log::info("the sink takes reports again", {{"sink", route.config.name}});
    route.failing = false;
    route.schedule.reset();
    route.next = {};
    const auto sent = std::ranges::find(route.waiting, route.under_way, &SpoolEntry::name);
    if (route.under_way.empty() || sent == route.waiting.end()) return;
    drop(*sent);
    route.waiting.erase(sent);
}

void Outbox::take_failure(Route& route, const SinkError& error) {
    // Once for each time that it begins to fail: it may be down for hours.
    const auto tell = route.failing && !error.final ? log::debug : log::error;
    tell("report not delivered", {{"sink", route.config.name}, {"error", error.error.message}});
    route.failing = true;
    route.next = clock_.now() + route.schedule.next(error.retry_after);
    if (!error.final || route.under_way.empty()) return;
    route.refused.insert(route.under_way);
    while (route.refused.size() > max_waiting)
        route.refused.erase(route.refused.begin());
    std::erase_if(route.waiting,
                  [&](const SpoolEntry& entry) { return entry.name == route.under_way; });
}

void Outbox::turn(bool begin_more) {
    take_in();
    for (auto& route : routes_) {
        // A sink that answers at once is not made to wait for the next turn; one turn stays short.
        for (int n = 0; n < 10; ++n) {
            if (route->work.take_end()) collect(*route);
            if (route->work.busy() || !begin_more) break;
            begin(*route);
            if (!route->work.busy()) break;
        }
    }
    begin_far_drops();
}

bool Outbox::busy() const {
    if (reading_.busy() || dropping_.busy()) return true;
    return std::ranges::any_of(routes_, [](const auto& route) { return route->work.busy(); });
}

Instant Outbox::next() const {
    Instant next = never;
    for (const auto& route : routes_) {
        const bool idle = route->waiting.empty() && !route->once;
        if (route->sink && !idle && !route->work.busy()) next = std::min(next, route->next);
    }
    return next;
}

void Outbox::begin_last(Route& route, Deadline deadline) {
    if (!route.sink || route.waiting.empty() || !claim(route)) return;
    route.cancelled = false;
    route.last.assign(route.waiting.begin(), route.waiting.end());
    route.last_delivered = 0;
    route.work.start("deliver", [this, &route, deadline] {
        for (const auto& entry : route.last) {
            if (!spool_.still_has(entry)) { // it was sent before we had the lock
                ++route.last_delivered;
                continue;
            }
            const auto delivery =
                deliver_with_retries(*route.sink, entry.message, clock_, deadline, fresh_schedule(),
                                     route.cancelled, last_try_limit);
            if (!delivery.delivered) return;
            ++route.last_delivered;
        }
    });
}

void Outbox::collect_last(Route& route) {
    delivered_ += route.last_delivered;
    for (std::size_t i = 0; i < route.last_delivered; ++i)
        drop(route.last[i]);
    route.lock.reset();
    route.waiting.erase(route.waiting.begin(),
                        route.waiting.begin() + static_cast<std::ptrdiff_t>(route.last_delivered));
    if (route.waiting.empty()) return;
    log::error("not delivered before the end",
               {{"sink", route.config.name}, {"reports", std::to_string(route.waiting.size())}});
}

bool Outbox::close(Deadline deadline) {
    std::set<Route*> open;
    std::set<Route*> last;
    for (auto& route : routes_) {
        route->once.reset();
        open.insert(route.get());
    }
    // A try that is under way has mostly been taken: ended at once, it would be sent again.
    const Deadline patience = deadline.clipped(clock_, under_way_limit);
    while (!open.empty()) {
        for (auto* route : std::set(open)) {
            if (last.contains(route)) {
                if (!route->work.take_end()) continue;
                collect_last(*route);
                open.erase(route);
                continue;
            }
            if (patience.passed(clock_)) route->cancelled = true;
            if (route->work.take_end()) collect(*route);
            if (route->work.busy()) continue;
            begin_last(*route, deadline);
            last.insert(route);
            if (!route->work.busy()) open.erase(route); // nothing to send, or nobody to send it to
        }
        if (open.empty() || deadline.passed(clock_)) break;
        clock_.sleep_until(std::min(clock_.now() + slice, deadline.at));
    }
    (void)reading_.take_end();
    begin_far_drops();
    while (dropping_.busy() && !deadline.passed(clock_)) {
        clock_.sleep_until(std::min(clock_.now() + slice, deadline.at));
        (void)dropping_.take_end();
    }
    return open.empty() && !reading_.busy() && !dropping_.busy();
}

std::size_t Outbox::undelivered() const {
    std::size_t count = 0;
    for (const auto& route : routes_)
        count += route->waiting.size() + route->refused.size();
    return count;
}

} // namespace muster
