#include "probes/metadata.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/sys/schedule.h"
#include "probes/confirmation.h"

namespace muster::probes {
namespace {

// Confirming readings are spaced, since two within a millisecond may come from the same wrong
// moment; not by much, since every launch pays for it.
constexpr Duration spacing_low = std::chrono::milliseconds(60);
constexpr Duration spacing_high = std::chrono::milliseconds(140);
// A reading that failed: capped exponential with full jitter. The service is on this host, so its
// load is ours alone and the cap can be low.
constexpr Backoff backoff{.base = std::chrono::milliseconds(200), .cap = std::chrono::seconds(5)};
// Retry-After is honoured up to here: one absurd header must not use up the whole deadline.
constexpr Duration patience = std::chrono::seconds(30);

template <class T>
using Reading = std::expected<T, ReadingError>;

/// Turns a parser's error into a reading's: the service answered, but not with this value.
template <class T>
Reading<T> parsed(Result<T> result) {
    if (result) return std::move(*result);
    return std::unexpected(ReadingError{.error = result.error()});
}

Reading<Identity> read_identity(MetadataService& service, Deadline deadline) {
    const auto document = service.read("dynamic/instance-identity/document", deadline);
    if (!document) return std::unexpected(document.error());
    return parsed(parse_identity(*document));
}

/// The list and each of its entries, as one reading: taken apart, a list of one moment could be
/// filled with the entries of another.
Reading<Mapping> read_mapping(MetadataService& service, Deadline deadline) {
    const std::string folder = "meta-data/block-device-mapping/";
    auto listing = service.read(folder, deadline);
    if (!listing) return std::unexpected(listing.error());
    auto names = parsed(parse_mapping_names(*listing));
    if (!names) return std::unexpected(names.error());
    Mapping mapping;
    for (const auto& name : *names) {
        auto body = service.read(folder + name, deadline);
        if (!body) {
            auto error = body.error();
            // The list named it a moment ago, so this is no answer about the mapping as a whole.
            if (error.error.code == Errc::absent) error.error.code = Errc::conflict;
            return std::unexpected(std::move(error));
        }
        auto device = parsed(parse_mapping_device(*body));
        if (!device) return std::unexpected(device.error());
        mapping.emplace(name, std::move(*device));
    }
    return mapping;
}

/// One value on its way to being confirmed.
template <class T>
class Pursuit {
  public:
    Pursuit(Reading<T> (*read)(MetadataService&, Deadline), const MetadataRules& rules,
            Instant start, std::uint64_t seed)
        : read_(read), confirmation_(rules.confirmations, rules.absence_span),
          schedule_(backoff, seed), absence_span_(rules.absence_span), start_(start), due_(start) {}

    [[nodiscard]] bool done() const { return confirmation_.confirmed(); }
    [[nodiscard]] Instant due() const { return done() ? Instant::max() : due_; }
    [[nodiscard]] const std::optional<ReadingError>& trouble() const { return trouble_; }
    void postpone(Instant to) { due_ = std::max(due_, to); }

    /// Reads once.
    void step(MetadataService& service, Clock& clock, Deadline deadline) {
        auto reading = read_(service, deadline);
        const Instant now = clock.now();
        trouble_.reset();
        if (reading) {
            confirmation_.add(std::move(*reading), now);
        } else if (reading.error().error.code == Errc::absent) {
            confirmation_.add(std::nullopt, now);
        } else {
            trouble_ = std::move(reading.error());
            // What was wrong before tells more than that the time is up.
            if (!last_error_ || !deadline.passed(clock)) last_error_ = trouble_->error;
            ++failures_;
            // An answer that is no answer says that the service is not itself: begin again.
            if (!trouble_->of_service) confirmation_.add_empty();
        }
        due_ = now + wait();
    }

    [[nodiscard]] Result<Confirmed<T>> result() const {
        if (!done()) {
            return fail(last_error_.value_or(Error{
                            Errc::timed_out, "instance metadata: too few equal answers in time"}),
                        fmt::format("not confirmed ({} of the readings in a row agreed, {} failed)",
                                    confirmation_.in_a_row(), failures_));
        }
        return Confirmed<T>{.value = confirmation_.value(),
                            .readings = confirmation_.readings(),
                            .disagreements = confirmation_.disagreements(),
                            .first = seconds(*confirmation_.first() - start_),
                            .last = seconds(confirmation_.last() - start_)};
    }
    [[nodiscard]] unsigned disagreements() const { return confirmation_.disagreements(); }
    [[nodiscard]] unsigned failures() const { return failures_; }

  private:
    Duration wait() {
        if (trouble_) return schedule_.next(std::min(trouble_->retry_after, patience));
        schedule_.reset();
        // Absence must have lasted, so asking about it faster than that is of no use.
        if (confirmation_.seems_absent()) return absence_span_ / 4;
        return schedule_.between(spacing_low, spacing_high);
    }

    Reading<T> (*read_)(MetadataService&, Deadline);
    Confirmation<T> confirmation_;
    Schedule schedule_;
    Duration absence_span_;
    Instant start_;
    Instant due_;
    std::optional<ReadingError> trouble_; ///< of the last reading
    std::optional<Error> last_error_;
    unsigned failures_ = 0;
};

} // namespace

Metadata read_metadata(MetadataService& service, Clock& clock, const MetadataRules& rules,
                       Deadline deadline, std::uint64_t seed, const WaitNotice& notice) {
    const Instant start = clock.now();
    Pursuit<Identity> identity(&read_identity, rules, start, seed);
    Pursuit<Mapping> mapping(&read_mapping, rules, start, seed + 1);

    bool off = false;
    while (!off && !(identity.done() && mapping.done())) {
        const Instant due = std::min(identity.due(), mapping.due());
        if (due >= deadline.at) break;
        clock.sleep_until(due);
        const auto step = [&](auto& value, auto& other) {
            value.step(service, clock, deadline);
            const auto& trouble = value.trouble();
            if (!trouble) return;
            notice(trouble->error.message, value.due());
            // What ails the service ails both: one backoff, not two that take turns.
            if (trouble->of_service) other.postpone(value.due());
            off = trouble->final;
        };
        if (identity.due() <= mapping.due()) {
            step(identity, mapping);
        } else {
            step(mapping, identity);
        }
    }
    service.counters().retries = identity.failures() + mapping.failures();
    service.counters().disagreements = identity.disagreements() + mapping.disagreements();
    return {.identity = identity.result(),
            .mapping = mapping.result(),
            .counters = service.counters(),
            .endpoint = service.endpoint()};
}

} // namespace muster::probes
