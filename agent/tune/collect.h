// The waits of a fleet, gathered from its reports. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_set>

namespace muster::tune {

/// How many waits ended at one time, and how.
struct Ends {
    unsigned found = 0;
    unsigned gave_up = 0; ///< no end was seen: it would have been later, if ever
};

/// How long one thing was waited for, over many boots, in milliseconds. Of a time there are four
/// digits, the rest is rounded up: so memory grows with the digits and not with the fleet, and a
/// schedule that is made of these times looks after the event, never right before it.
using Times = std::map<std::uint32_t, Ends>;

struct Collected {
    std::map<std::string, Times> waits; ///< by name: "metadata", "ebs data"
    std::size_t reports = 0;            ///< verdicts whose waits are in here
    std::size_t without = 0;            ///< reports that tell of no boot's end: in-progress, notice
    std::size_t again = 0;              ///< of a boot that had been counted before
    std::size_t bad = 0;                ///< lines that are no report
    std::string first_bad;              ///< "reports.jsonl:17: not JSON"; "" where there was none
    std::size_t left_out = 0;           ///< beyond the bounds below
};

/// Bounds: more than a fleet has, and what the memory of a small machine can hold (120 MB).
inline constexpr std::size_t most_boots = 1'000'000;
inline constexpr std::size_t most_times = 1'000'000; ///< different ones, of all waits together
inline constexpr std::size_t most_names = 256;

/// Takes one line after the other. The first verdict of a boot counts: sinks may get one twice, and
/// a `muster run` that is made again waits for what is there already.
class Collector {
  public:
    /// `by_kind`: "ebs data" and "ebs logs" are both "ebs".
    explicit Collector(bool by_kind) : by_kind_(by_kind) {}

    /// `where`: "reports.jsonl:17". A line that is no report is counted, and never an error.
    void line(std::string_view where, std::string_view text);
    /// A line that could not even be read, for that reason.
    void unreadable(std::string_view where, std::string_view why);

    [[nodiscard]] const Collected& collected() const { return collected_; }

  private:
    void add(const std::string& name, std::uint32_t milliseconds, bool found);

    bool by_kind_;
    Collected collected_;
    std::unordered_set<std::uint64_t> boots_;
    std::size_t times_ = 0;
};

/// Seconds as milliseconds with four digits, rounded up: 8.68412 -> 8685, 123.41 -> 123500.
[[nodiscard]] std::uint32_t rounded_up(double seconds);

/// "ebs" for "ebs data"; a wait without a name of the owner's is a kind of its own.
[[nodiscard]] std::string kind_of(const std::string& name);

} // namespace muster::tune
