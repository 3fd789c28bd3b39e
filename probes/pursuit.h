// Values on their way to being believed, read side by side over one connection.
#pragma once

#include <fmt/format.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"
#include "agent/sys/schedule.h"
#include "probes/confirmation.h"
#include "probes/metadata_service.h"

namespace muster::probes {

template <class T>
using Reading = std::expected<T, ReadingError>;

/// A parser's error as a reading's: the service answered, but not with this value.
template <class T>
[[nodiscard]] Reading<T> as_reading(Result<T> result) {
    if (result) return std::move(*result);
    return std::unexpected(ReadingError{.error = std::move(result.error())});
}

/// A value and how it was reached.
template <class T>
struct Answer {
    /// An error: it could not be confirmed. nullopt: confirmed that there is none.
    Result<std::optional<T>> value = std::nullopt;
    unsigned readings = 0;
    unsigned disagreements = 0;
    double first = 0; ///< seconds from the start of reading to its first answer
    double last = 0;
    std::vector<T> seen;       ///< every different value that was read
    std::string contradiction; ///< what the kernel knows against the value; "": nothing

    /// The value, if it was confirmed that there is one.
    [[nodiscard]] const T* get() const {
        // NOLINTNEXTLINE(bugprone-unchecked-optional-access): it does not see through std::expected
        return value && *value ? &**value : nullptr;
    }
};

/// What is being waited for, for whoever watches: "instance metadata: 503", until about then.
using WaitNotice = std::function<void(std::string_view what, Instant until)>;

/// When one value is read next, and what became of the last reading.
class Pursued {
  public:
    Pursued(Instant start, std::uint64_t seed);
    Pursued(const Pursued&) = delete;
    Pursued& operator=(const Pursued&) = delete;
    virtual ~Pursued() = default;

    /// Reads once and sets the time of the next reading.
    void step(MetadataService& service, Clock& clock, Deadline deadline);
    /// Another value's reading found that the service itself is ailing, and waits `until` then: as
    /// if this one had.
    void suffer(const Error& error, Instant until, bool late);

    [[nodiscard]] virtual bool done() const = 0;
    [[nodiscard]] virtual unsigned disagreements() const = 0;
    [[nodiscard]] Instant due() const { return due_; }
    /// Why the last reading gave no answer.
    [[nodiscard]] const std::optional<ReadingError>& trouble() const { return trouble_; }
    [[nodiscard]] unsigned failures() const { return failures_; }

  protected:
    [[nodiscard]] virtual std::optional<ReadingError> read(MetadataService& service, Clock& clock,
                                                           Deadline deadline) = 0;
    /// A doubtful answer that must still last: how long until it is asked about again.
    [[nodiscard]] virtual std::optional<Duration> patience() const = 0;

    Instant start_;
    std::optional<Error> last_error_;

  private:
    [[nodiscard]] Duration wait();
    /// `late`: the deadline has passed. What was wrong before tells more than that.
    void take_note(const Error& error, bool late);

    Schedule schedule_;
    Instant due_;
    std::optional<ReadingError> trouble_;
    unsigned failures_ = 0;
};

/// How one value is read and what it takes to believe it.
template <class T>
struct Recipe {
    std::function<Reading<T>(MetadataService&, Deadline)> read;
    Need need;
    /// What the kernel knows against a value, in words; nothing where it agrees or can't know.
    std::function<std::optional<std::string>(const T&)> contradiction = {};
    /// Confirmed earlier, and sticky: only another value that is confirmed contradicts it.
    std::optional<T> known = {};
};

template <class T>
class Pursuit : public Pursued {
  public:
    Pursuit(Recipe<T> recipe, Instant start, std::uint64_t seed)
        : Pursued(start, seed), recipe_(std::move(recipe)),
          confirmation_(recipe_.need, recipe_.known) {}

    [[nodiscard]] bool done() const override { return confirmation_.confirmed() || stuck_to_; }
    [[nodiscard]] unsigned disagreements() const override { return confirmation_.disagreements(); }

    [[nodiscard]] Answer<T> answer() const {
        Answer<T> answer{.readings = confirmation_.readings(),
                         .disagreements = confirmation_.disagreements(),
                         .last = seconds(confirmation_.last() - start_),
                         .seen = confirmation_.seen(),
                         .contradiction = contradiction_};
        if (const auto first = confirmation_.first()) answer.first = seconds(*first - start_);
        if (stuck_to_) {
            answer.value = recipe_.known;
        } else if (done()) {
            answer.value = confirmation_.value();
        } else {
            answer.value = not_confirmed();
        }
        return answer;
    }

  protected:
    std::optional<ReadingError> read(MetadataService& service, Clock& clock,
                                     Deadline deadline) override {
        auto reading = recipe_.read(service, deadline);
        const bool absent = !reading && reading.error().error.code == Errc::absent;
        // Nothing, or no answer, says nothing against what is known.
        if (!reading && recipe_.known && confirmation_.seen().size() == 1) {
            stuck_to_ = true;
            return std::nullopt;
        }
        if (!reading && !absent) {
            // An answer that is no answer says that the service is not itself: begin again.
            if (!reading.error().of_service) confirmation_.add_empty();
            return std::move(reading.error());
        }
        const auto value = absent ? std::nullopt : std::optional<T>(std::move(*reading));
        const auto against =
            value && recipe_.contradiction ? recipe_.contradiction(*value) : std::nullopt;
        contradiction_ = against.value_or("");
        confirmation_.add(value, clock.now(), against.has_value());
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Duration> patience() const override {
        // The readings in a row come first and quickly, so that one that breaks the row costs
        // little.
        const Duration left = confirmation_.must_hold();
        if (left <= Duration::zero()) return std::nullopt;
        // Then one at the end: each reading in between is one more chance of a lie that says
        // nothing. What may come late, though, a value or the kernel's disk, is looked for.
        return confirmation_.changed() ? left : std::min(left, recipe_.need.span / 4);
    }

  private:
    [[nodiscard]] std::unexpected<Error> not_confirmed() const {
        return fail(last_error_.value_or(
                        Error{Errc::timed_out, "instance metadata: too few equal answers in time"}),
                    fmt::format("not confirmed ({} of the readings in a row agreed, {} failed)",
                                confirmation_.in_a_row(), failures()));
    }

    Recipe<T> recipe_;
    Confirmation<T> confirmation_;
    std::string contradiction_;
    bool stuck_to_ = false; ///< to what was known
};

/// Reads them until each is done, or the deadline: each on its own schedule, the one that is due
/// first, so that ten values cost about the time of one. What ails the service is waited out by all
/// together, and then another one is read: a path that ails alone holds up nobody for ever. Adds
/// retries and disagreements to the service's counters.
void pursue(const std::vector<Pursued*>& values, MetadataService& service, Clock& clock,
            Deadline deadline, const WaitNotice& notice);

} // namespace muster::probes
