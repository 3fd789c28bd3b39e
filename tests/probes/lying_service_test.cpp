// What confirmation is worth: services that lie at random, believed in four ways. It prints the
// tables of docs/metadata.md (MUSTER_SOAK=1: with as many seeds as there).
#include <algorithm>
#include <numeric>

#include "agent/sys/schedule.h"
#include "tests/catch.h"
#include "tests/probes/lying_service.h"
#include "tests/seeds.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

namespace {

using By = Habit::By;

constexpr Duration patience = 150s; // the default of metadata.deadline
constexpr Duration span = 5s;       // and of metadata.absence_span
// Between confirmation and the second look no more than the plan is made, where as many disks are
// expected as are there. (Where any number is, they must have stayed the same for 300 ms.)
constexpr Duration until_second_look = 20ms;
constexpr Duration second_look = 4 * span + 2s;

// ---- who lies
// ------------------------------------------------------------------------------------

struct Liar {
    std::string name;
    Habit habit;
    /// One lie, the same for all that is asked, lasts longer than all the readings: nothing that
    /// only asks can know better.
    bool outlasts = false;
};

Habit at_random(By by, double p) {
    return {.by = by, .p = p};
}

Habit in_spells(Duration lie, int truth) {
    return {.by = By::spell, .lie = lie, .truth = truth * lie};
}

std::vector<Liar> liars() {
    return {
        {"never", {}},
        {"each reading, p = 0.1", at_random(By::reading, 0.1)},
        {"each reading, p = 0.3", at_random(By::reading, 0.3)},
        {"each reading, p = 0.5", at_random(By::reading, 0.5)},
        {"each HTTP answer, p = 0.1", at_random(By::answer, 0.1)},
        {"each HTTP answer, p = 0.3", at_random(By::answer, 0.3)},
        {"each HTTP answer, p = 0.5", at_random(By::answer, 0.5)},
        {"spells of 0.1 s, 1 s between", in_spells(100ms, 10)},
        {"spells of 0.1 s, 0.1 s between", in_spells(100ms, 1)},
        {"spells of 1 s, 10 s between", in_spells(1s, 10)},
        {"spells of 1 s, 1 s between", in_spells(1s, 1)},
        {"spells of 10 s, 100 s between", in_spells(10s, 10), true},
        {"spells of 10 s, 10 s between", in_spells(10s, 1), true},
    };
}

Habit with_lies(Habit habit, std::vector<Lie> lies) {
    habit.lies = std::move(lies);
    return habit;
}

// ---- four ways to believe
// ------------------------------------------------------------------------

/// What somebody takes for the truth. Nothing: he knows that he does not know.
struct Belief {
    std::optional<Identity> identity;
    std::optional<Mapping> mapping;

    [[nodiscard]] bool whole() const { return identity && mapping; }
    [[nodiscard]] bool untrue() const {
        const auto& truth = LyingService::truth();
        return (identity && *identity != truth.identity) || (mapping && *mapping != truth.mapping);
    }
};

template <class T>
std::optional<T> got(const Reading<T>& reading) {
    return reading ? std::optional(*reading) : std::nullopt;
}

template <class T>
std::optional<T> got(const probes::Answer<T>& answer) {
    return answer.get() != nullptr ? std::optional(*answer.get()) : std::nullopt;
}

Belief one_reading(LyingService& lying) {
    const auto deadline = Deadline::in(lying.clock, patience);
    return {got(read_identity(lying.service, deadline)),
            got(read_mapping(lying.service, deadline))};
}

/// As a script that asks again until there is an answer.
Belief first_answer(LyingService& lying) {
    const auto deadline = Deadline::in(lying.clock, patience);
    Belief belief;
    while (!belief.whole() && !deadline.passed(lying.clock)) {
        if (!belief.identity) belief.identity = got(read_identity(lying.service, deadline));
        if (!belief.mapping) belief.mapping = got(read_mapping(lying.service, deadline));
        lying.clock.advance(200ms);
    }
    return belief;
}

/// Three equal ones in a row, as far apart as ours; nothing is ever doubtful.
template <class T>
class InARow {
  public:
    explicit InARow(Reading<T> (*read)(MetadataService&, Deadline)) : read_(read) {}
    void look(LyingService& lying, Deadline deadline) {
        if (confirmation_.confirmed()) return;
        if (auto reading = read_(lying.service, deadline)) {
            confirmation_.add(std::move(*reading), lying.clock.now());
        } else {
            confirmation_.add_empty();
        }
    }
    [[nodiscard]] std::optional<T> value() const {
        return confirmation_.confirmed() ? confirmation_.value() : std::nullopt;
    }

  private:
    Reading<T> (*read_)(MetadataService&, Deadline);
    Confirmation<T> confirmation_{{.span = 0s}};
};

Belief three_in_a_row(LyingService& lying, std::uint64_t seed) {
    const auto deadline = Deadline::in(lying.clock, patience);
    Schedule schedule({.base = 200ms, .cap = 5s}, seed);
    InARow<Identity> identity(&read_identity);
    InARow<Mapping> mapping(&read_mapping);
    Belief belief;
    while (!belief.whole() && !deadline.passed(lying.clock)) {
        identity.look(lying, deadline);
        mapping.look(lying, deadline);
        belief = {identity.value(), mapping.value()};
        lying.clock.advance(schedule.between(150ms, 250ms));
    }
    return belief;
}

// ---- and as the boot does it
// ---------------------------------------------------------------------

enum class End {
    acts,   ///< on what it believes
    stops,  ///< metadata-unstable
    gave_up ///< metadata-unavailable
};

struct Boot {
    Belief belief;
    bool absent = false; ///< one of them was confirmed not to exist
    End end = End::gave_up;
    Duration took{}; ///< for the metadata alone
    unsigned requests = 0;
};

WaitNotice in_silence() {
    return [](std::string_view, Instant) {};
}

template <class T>
bool is_absent(const probes::Answer<T>& answer) {
    return answer.value && answer.get() == nullptr;
}

/// As `changed` in agent/metadata.cpp: another value was confirmed, or none of several lasted.
template <class T>
bool disproved(const probes::Answer<T>& answer, const T& known) {
    if (!answer.value) return answer.seen.size() > 1;
    return answer.get() != nullptr && *answer.get() != known;
}

/// As `MetadataStage::still_says`.
bool still_says(LyingService& lying, const KnownMetadata& known, std::uint64_t seed) {
    lying.clock.advance(until_second_look);
    const auto deadline = Deadline::in(lying.clock, second_look);
    const auto again =
        read_metadata(lying.service, lying.clock, {}, deadline, seed, in_silence(), {}, known);
    CHECK(lying.clock.now() <= deadline.at);
    return !disproved(again.identity, known.identity) && !disproved(again.mapping, known.mapping);
}

/// What holds of every confirmed answer, whatever the luck: it was read as often as needed with
/// nothing else in between, and where there was doubt, for the whole span.
void check_readings(const LyingService& lying, const probes::Answer<Identity>& answer) {
    if (!answer.value) return;
    const auto& met = lying.documents;
    const auto& last = met.back();
    const auto row = std::ranges::find_if(
        met.rbegin(), met.rend(), [&](const auto& one) { return one.second != last.second; });
    CHECK(std::distance(met.rbegin(), row) >= 3);
    CHECK(!last.second.empty());
    CHECK(is_absent(answer) == (last.second == "404"));
    const bool others = std::any_of(row, met.rend(), [&](const auto& one) {
        return one.second != last.second && !one.second.empty() && one.second != "404";
    });
    if (is_absent(answer) || others || !answer.contradiction.empty())
        CHECK(last.first - std::prev(row)->first >= span);
}

Boot boot(const Habit& habit, std::uint64_t seed, const Witnesses& witnesses = {}) {
    LyingService lying(habit, seed);
    const auto [identity, mapping] =
        read_metadata(lying.service, lying.clock, {}, Deadline::in(lying.clock, patience), seed,
                      in_silence(), witnesses);
    check_readings(lying, identity);
    Boot boot{.belief = {got(identity), got(mapping)},
              .absent = is_absent(identity) || is_absent(mapping),
              .took = lying.clock.elapsed()};
    CHECK(boot.took <= patience);
    if (boot.absent) CHECK(boot.took >= span);
    if (boot.belief.identity && !identity.contradiction.empty()) {
        boot.end = End::stops; // as `identity_finding` in agent/metadata.cpp
    } else if (boot.belief.identity && boot.belief.mapping) {
        const KnownMetadata known{*boot.belief.identity, *boot.belief.mapping};
        boot.end = still_says(lying, known, seed + 2) ? End::acts : End::stops;
        boot.took = lying.clock.elapsed() - until_second_look;
    }
    boot.requests = lying.service.counters().requests;
    return boot;
}

/// What Nitro's firmware knows: this instance's id, and nothing else.
Witnesses firmware() {
    return {.identity = [](const Identity& identity) -> std::optional<std::string> {
        if (identity.instance_id == LyingService::truth().identity.instance_id) return std::nullopt;
        return "the firmware says another id";
    }};
}

// ---- the tables
// ----------------------------------------------------------------------------------

struct Tally {
    std::uint64_t runs = 0, believed_wrong = 0, acted_wrong = 0, stopped_rightly = 0, alarms = 0,
                  gave_up = 0, absent = 0, requests = 0;
    std::vector<double> times = {};

    void add(const Boot& boot) {
        const bool untrue = boot.belief.untrue();
        ++runs;
        believed_wrong += untrue;
        acted_wrong += untrue && boot.end == End::acts;
        stopped_rightly += untrue && boot.end == End::stops;
        alarms += !untrue && boot.end == End::stops;
        gave_up += boot.end == End::gave_up;
        absent += boot.absent;
        requests += boot.requests;
        times.push_back(seconds(boot.took));
    }
    /// The time that such a share of the runs did not exceed.
    [[nodiscard]] double time_of(double share) {
        std::ranges::sort(times);
        return times[static_cast<std::size_t>(share * static_cast<double>(runs - 1))];
    }
    [[nodiscard]] double mean_time() const {
        return std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(runs);
    }
    [[nodiscard]] double mean_requests() const {
        return static_cast<double>(requests) / static_cast<double>(runs);
    }
};

struct LieRow {
    std::uint64_t nothing = 0, one_wrong = 0, first_wrong = 0, row_wrong = 0;
    Tally boots;
    Tally on_nitro;
};

LieRow measure(const Habit& habit, testing::Seeds seeds) {
    LieRow row;
    for (auto seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        INFO("MUSTER_SEED=" << seed);
        LyingService once(habit, seed);
        const auto belief = one_reading(once);
        row.one_wrong += belief.untrue();
        row.nothing += !belief.untrue() && !belief.whole();
        LyingService first(habit, seed);
        row.first_wrong += first_answer(first).untrue();
        LyingService three(habit, seed);
        row.row_wrong += three_in_a_row(three, seed).untrue();
        row.boots.add(boot(habit, seed));
        row.on_nitro.add(boot(habit, seed, firmware()));
    }
    return row;
}

std::string percent(std::uint64_t count, std::uint64_t of) {
    if (count == 0) return "0";
    const double share = 100 * static_cast<double>(count) / static_cast<double>(of);
    return fmt::format("{:.{}f} %", share, share < 0.995 ? 2 : share < 9.95 ? 1 : 0);
}

/// "| name | 1.2 % | 0 |"
std::string line(const std::string& name, std::initializer_list<std::uint64_t> counts,
                 std::uint64_t of) {
    std::string text = "| " + name + " |";
    for (const auto count : counts)
        text += " " + percent(count, of) + " |";
    return text;
}

const char* const wrong_heading =
    "| it lies | one reading: nothing | one reading | the first answer there is | three in a row | "
    "muster believes | and acts on it | the same on Nitro |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |\n";

std::string wrong_line(const std::string& name, const LieRow& row) {
    const auto& [nothing, one, first, three, boots, on_nitro] = row;
    return line(name,
                {nothing, one, first, three, boots.believed_wrong, boots.acted_wrong,
                 on_nitro.acted_wrong},
                boots.runs) +
           "\n";
}

const char* const cost_heading =
    "| it lies | stopped rightly | stopped needlessly | gave up | of these: \"there is none\" | "
    "mean | 95 % within | longest | requests |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";

std::string cost_line(const std::string& name, Tally& boots) {
    return line(name, {boots.stopped_rightly, boots.alarms, boots.gave_up, boots.absent},
                boots.runs) +
           fmt::format(" {:.2f} s | {:.1f} s | {:.1f} s | {:.0f} |\n", boots.mean_time(),
                       boots.time_of(0.95), boots.time_of(1), boots.mean_requests());
}

} // namespace

TEST_CASE("lying service: how often it is believed, and what that costs") {
    const auto seeds = testing::seeds(200, 10'000);
    std::string wrong = wrong_heading;
    std::string cost = cost_heading;
    for (const auto& [name, habit, outlasts] : liars()) {
        INFO(name);
        LieRow row = measure(habit, seeds);
        wrong += wrong_line(name, row);
        cost += cost_line(name, row.boots);
        if (seeds.count < 100) continue; // what follows is about many
        const auto& boots = row.boots;
        if (name == "never") {
            CHECK(boots.acted_wrong + boots.alarms + boots.gave_up + boots.stopped_rightly == 0);
            CHECK(row.boots.time_of(1) < 0.7);
            // A token; three documents and three lists of four entries each; then one of each.
            CHECK(boots.requests == boots.runs * (1 + 3 * (1 + 1 + 4) + (1 + 1 + 4)));
        }
        // In long spells no better than one reading, and a little worse: whoever looks for longer
        // has more time to meet a lie. That is to stay a little.
        CHECK(boots.acted_wrong <= (outlasts ? row.one_wrong * 6 / 5 : row.one_wrong));
        if (outlasts) CHECK(row.on_nitro.acted_wrong < boots.acted_wrong);
        if (habit.by != By::spell && habit.p <= 0.1)
            CHECK(boots.believed_wrong * 1000 <= boots.runs);
    }
    fmt::print("{} services a row, from seed {}\n\n{}\n{}\n", seeds.count, seeds.first, wrong,
               cost);
}

TEST_CASE("lying service: long spells, by what is said in them") {
    const auto seeds = testing::seeds(100, 10'000);
    std::string table =
        "| in spells of 10 s it is | muster acts on a lie | stopped rightly | stopped needlessly | "
        "gave up | acts on Nitro | stopped on Nitro |\n| --- | --- | --- | --- | --- | --- | --- "
        "|\n";
    const std::pair<const char*, Lie> kinds[] = {{"empty", Lie::empty},
                                                 {"an error", Lie::error},
                                                 {"404", Lie::absent},
                                                 {"another instance", Lie::stale},
                                                 {"wrong in one place", Lie::wrong}};
    for (const auto& [name, lie] : kinds) {
        Tally boots;
        Tally on_nitro;
        for (auto seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
            INFO(name << ", MUSTER_SEED=" << seed);
            const Habit habit = with_lies(in_spells(10s, 1), {lie});
            boots.add(boot(habit, seed));
            on_nitro.add(boot(habit, seed, firmware()));
        }
        table += line(name,
                      {boots.acted_wrong, boots.stopped_rightly, boots.alarms, boots.gave_up,
                       on_nitro.acted_wrong, on_nitro.stopped_rightly + on_nitro.alarms},
                      boots.runs) +
                 "\n";
    }
    fmt::print("{}\n", table);
}

TEST_CASE("lying service: what it keeps silent about is never made up") {
    const auto [first, count] = testing::seeds(30, 2'000);
    for (const auto& [name, habit, outlasts] : liars()) {
        for (auto seed = first; seed < first + count; ++seed) {
            INFO(name << ", MUSTER_SEED=" << seed);
            const auto failing = boot(with_lies(habit, {Lie::empty, Lie::error}), seed);
            CHECK(!failing.belief.untrue());
            CHECK(!failing.absent);
            CHECK(failing.end != End::stops);
            // A false 404 may be believed when it lasts; a false value may not come of it.
            const auto silent = boot(with_lies(habit, {Lie::empty, Lie::error, Lie::absent}), seed);
            CHECK(!silent.belief.untrue());
            CHECK(silent.end != End::stops);
        }
    }
}

TEST_CASE("lying service: who has firmware never takes himself for another instance") {
    const auto [first, count] = testing::seeds(30, 2'000);
    for (const auto& [name, habit, outlasts] : liars()) {
        for (auto seed = first; seed < first + count; ++seed) {
            INFO(name << ", MUSTER_SEED=" << seed);
            const auto one = boot(with_lies(habit, {Lie::stale, Lie::wrong}), seed, firmware());
            // An entry that its list promised and that is not there makes no mapping absent.
            CHECK(!one.absent);
            if (one.end == End::acts)
                CHECK(one.belief.identity->instance_id ==
                      LyingService::truth().identity.instance_id);
        }
    }
}
