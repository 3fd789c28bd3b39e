#include "agent/delivery/courier.h"

#include <algorithm>
#include <random>

#include "agent/sys/log.h"

namespace muster {
namespace {

// How soon a wait between tries notices that the verdict has come.
constexpr Duration slice = std::chrono::milliseconds(50);
// A wait that would go beyond the deadline is drawn anew where there is so much time. With less the
// last tries of a fleet would all come together, just before its deadline: with 15 s at more than
// four times what its endpoint takes (tests/bench/fleet.cpp).
constexpr Duration room = std::chrono::seconds(35);

void sleep_unless(const std::atomic<bool>& cancelled, Clock& clock, Instant until) {
    while (!cancelled && clock.now() < until)
        clock.sleep_until(std::min(until, clock.now() + slice));
}

} // namespace

Schedule fresh_schedule(Backoff backoff) {
    return Schedule(backoff, std::random_device{}());
}

std::optional<Instant> next_try(Schedule& schedule, const SinkError& error, Instant now,
                                Deadline deadline) {
    if (error.final) return std::nullopt;
    const Instant earliest = now + error.retry_after;
    const Instant next = now + schedule.next(error.retry_after);
    if (next < deadline.at) return next;
    if (deadline.at - earliest < room) return std::nullopt;
    return earliest + schedule.between({}, deadline.at - earliest);
}

Delivery deliver_with_retries(Sink& sink, const Message& message, Clock& clock, Deadline deadline,
                              Schedule schedule, const std::atomic<bool>& cancelled,
                              Duration limit) {
    Delivery delivery;
    while (!cancelled && !deadline.passed(clock)) {
        ++delivery.tries;
        const auto sent = sink.deliver(message, std::min(limit, deadline.left(clock)));
        if (sent) {
            delivery.delivered = true;
            delivery.error.clear();
            return delivery;
        }
        delivery.error = sent.error().error.message;
        const auto next = next_try(schedule, sent.error(), clock.now(), deadline);
        if (!next) return delivery;
        sleep_unless(cancelled, clock, *next);
    }
    return delivery;
}

bool all_delivered(const std::vector<Delivery>& deliveries) {
    if (deliveries.empty()) return true;
    if (std::ranges::any_of(deliveries, &Delivery::required)) {
        return std::ranges::all_of(deliveries, [](const Delivery& delivery) {
            return delivery.delivered || !delivery.required;
        });
    }
    return std::ranges::any_of(deliveries, &Delivery::delivered);
}

Courier::~Courier() {
    for (auto& route : routes_)
        route->overtaken = true;
}

void Courier::add(const SinkConfig& config, const Files& files) {
    auto route = std::make_unique<Route>();
    route->config = config;
    auto* flag = &route->overtaken;
    auto sink = make_sink(config, files, clock_, [flag] { return flag->load(); });
    if (sink) {
        route->sink = std::move(*sink);
    } else {
        route->broken = sink.error().message;
        log::error("sink can't be used", {{"sink", config.name}, {"error", route->broken}});
    }
    routes_.push_back(std::move(route));
}

void Courier::announce(const Message& message, Deadline deadline) {
    for (auto& route : routes_) {
        if (!route->sink) continue;
        auto* to = route.get();
        route->announcing = clock_.start(
            "announce", [this, to, message, deadline] { announce_on(*to, message, deadline); });
    }
}

/// Once, or again and again where somebody waits for a sign of life.
void Courier::announce_on(Route& route, const Message& message, Deadline deadline) {
    while (true) {
        const auto delivery =
            deliver_with_retries(*route.sink, message, clock_, deadline, fresh_schedule(),
                                 route.overtaken, announce_try_limit);
        log::debug("in-progress", {{"sink", route.config.name},
                                   {"delivered", delivery.delivered ? "yes" : "no"},
                                   {"error", delivery.error}});
        const Duration every = route.sink->heartbeat();
        const Instant next = clock_.now() + every;
        // Not delivered is refused for good: the time that there was is over.
        if (!delivery.delivered || every == Duration::zero() || next >= deadline.at) return;
        sleep_unless(route.overtaken, clock_, next);
        if (route.overtaken) return;
    }
}

Delivery Courier::deliver_on(Route& route, const Message& message, Deadline deadline) {
    Delivery delivery{.error = route.broken};
    if (route.sink) {
        route.overtaken = true;
        if (route.announcing) clock_.wait(*route.announcing);
        route.overtaken = false;
        delivery = deliver_with_retries(*route.sink, message, clock_, deadline, fresh_schedule(),
                                        route.overtaken);
    }
    delivery.sink = route.config.name;
    delivery.required = route.config.required;
    return delivery;
}

std::vector<Delivery> Courier::deliver(Message message, Deadline deadline) {
    message.fresh = true;
    std::vector<Delivery> deliveries(routes_.size());
    std::vector<std::unique_ptr<Job>> jobs;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        jobs.push_back(clock_.start(
            "deliver", [&, i] { deliveries[i] = deliver_on(*routes_[i], message, deadline); }));
    }
    for (auto& job : jobs)
        clock_.wait(*job);
    return deliveries;
}

} // namespace muster
