#include "probes/pursuit.h"

#include <algorithm>

namespace muster::probes {
namespace {

// Confirming readings are spaced, since two within a millisecond may come from the same wrong
// moment; not by more, since every launch pays for it: three take half a second at most. At half of
// it a lie of a tenth of a second would be acted on three times as often (docs/metadata.md).
constexpr Duration spacing_low = std::chrono::milliseconds(150);
constexpr Duration spacing_high = std::chrono::milliseconds(250);
// A reading that failed: capped exponential with full jitter. The service is on this host, so its
// load is ours alone and the cap can be low.
constexpr Backoff backoff{.base = std::chrono::milliseconds(200), .cap = std::chrono::seconds(5)};
// Retry-After is honoured up to here: one absurd header must not use up the whole deadline.
constexpr Duration most_patience = std::chrono::seconds(30);

} // namespace

Pursued::Pursued(Instant start, std::uint64_t seed)
    : start_(start), schedule_(backoff, seed), due_(start) {}

void Pursued::step(MetadataService& service, Clock& clock, Deadline deadline) {
    trouble_ = read(service, clock, deadline);
    if (trouble_) {
        take_note(trouble_->error, deadline.passed(clock));
        ++failures_;
    }
    due_ = clock.now() + wait();
}

void Pursued::suffer(const Error& error, Instant until, bool late) {
    take_note(error, late);
    due_ = std::max(due_, until);
    (void)schedule_.next(); // one backoff, not many that take turns
}

void Pursued::take_note(const Error& error, bool late) {
    if (!last_error_ || !late) last_error_ = error;
}

Duration Pursued::wait() {
    if (trouble_) return schedule_.next(std::min(trouble_->retry_after, most_patience));
    schedule_.reset();
    if (const auto span = patience()) return *span;
    return schedule_.between(spacing_low, spacing_high);
}

namespace {

void share(const Error& error, const Pursued& from, const std::vector<Pursued*>& open, bool late) {
    for (Pursued* other : open) {
        if (other != &from) other->suffer(error, from.due(), late);
    }
}

} // namespace

void pursue(const std::vector<Pursued*>& values, MetadataService& service, Clock& clock,
            Deadline deadline, const WaitNotice& notice) {
    std::vector<Pursued*> open = values;
    while (true) {
        std::erase_if(open, [](const Pursued* value) { return value->done(); });
        const auto next = std::ranges::min_element(open, {}, &Pursued::due);
        if (next == open.end() || (*next)->due() >= deadline.at) break;
        Pursued* value = *next;
        std::rotate(next, next + 1, open.end()); // of those that are due together, it is now last
        clock.sleep_until(value->due());
        value->step(service, clock, deadline);
        const auto& trouble = value->trouble();
        if (!trouble) continue;
        notice(trouble->error.message, value->due());
        if (trouble->of_service) share(trouble->error, *value, open, deadline.passed(clock));
        if (trouble->final) break;
    }
    for (const Pursued* value : values) {
        service.counters().retries += value->failures();
        service.counters().disagreements += value->disagreements();
    }
}

} // namespace muster::probes
