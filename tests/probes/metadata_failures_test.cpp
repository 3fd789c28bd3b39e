// Each way in which the metadata service can fail, on a socket and through the real client: what
// one reading makes of it, and what becomes of a boot's whole reading.
#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "tests/probes/metadata_script.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;
using muster::testing::Simulator;

namespace {

constexpr Duration for_ever = 1h;

/// What a reading of one value meets.
struct Met {
    Errc code;
    bool of_service = false;
    bool final = false;
};
constexpr auto of_service = true;
constexpr auto is_final = true;

template <class T>
struct Range {
    T low;
    T high;
};

struct FailureRow { // the fake clock starts on Saturday, 21 Nov 2026, at 20:00
    const char* name;
    std::string rules;         ///< of the simulator (metadata_script.h)
    Duration until = for_ever; ///< by the fake clock; from then on all is well
    /// Which limit ends a request that is not answered.
    Duration HttpRequest::* ended_by = nullptr;
    bool of_mapping = false;       ///< what is wrong with; else the identity
    std::optional<Met> meets = {}; ///< by the first reading of that; nothing: a value
    const char* says = "";         ///< the error's message, among other things
    const char* counted = "";      ///< by the first reading: "http 503: 1"
    /// Of a boot's reading of both: how each ends, what the service saw, seconds.
    std::string identity = "right";
    std::string mapping = "right";
    Range<std::size_t> requests;
    Range<double> took = {0.3, 0.51};
    unsigned disagreements = 0;
    std::string host = "127.0.0.1";
};

constexpr Range<double> whole_deadline = {144.9, 150.001};
const auto least = fewest_requests;

MetadataAccess access(const FailureRow& row) {
    return {.endpoint = replaced(simulator().metadata, "127.0.0.1", row.host)};
}

/// The row's script from now, and until its end by that clock.
void begin(SimulatedBoot& boot, const FailureRow& row) {
    simulator().swap(script(row.rules));
    simulator().forget();
    boot.http.before = [&boot, &row, well = false,
                        met = false](const HttpRequest& request) mutable {
        if (!well && boot.clock.elapsed() >= row.until) {
            well = true;
            simulator().swap(script(""));
        }
        if (well || row.ended_by == nullptr) return;
        // All connects hang, or the first reading of the document.
        const bool connects = row.ended_by == &HttpRequest::connect_limit;
        if (!connects && (met || !request.url.ends_with("/document"))) return;
        met = true;
        boot.http.ended_by = row.ended_by;
        boot.http.unanswered = 1;
    };
}

std::string told(const std::optional<Met>& met) {
    if (!met) return "a value";
    return fmt::format("{}{}{}", to_string(met->code), met->of_service ? ", of the service" : "",
                       met->final ? ", final" : "");
}

template <class T>
std::optional<ReadingError> error_of(const Reading<T>& reading) {
    return reading ? std::nullopt : std::optional(reading.error());
}

std::string counted(const MetadataCounters& counters) {
    auto all = counters.failures;
    if (counters.empty > 0) all["empty"] = counters.empty;
    std::string text;
    for (const auto& [why, count] : all)
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", why, count);
    return text;
}

void check_first_reading(const FailureRow& row) {
    SimulatedBoot boot(access(row));
    begin(boot, row);
    const auto error = row.of_mapping ? error_of(read_mapping(boot.service, boot.soon()))
                                      : error_of(read_identity(boot.service, boot.soon()));
    const auto met = error ? std::optional(Met{error->error.code, error->of_service, error->final})
                           : std::nullopt;
    CHECK(told(met) == told(row.meets));
    if (error) CHECK_THAT(error->error.message, Catch::Contains(row.says));
    CHECK(counted(boot.service.counters()) == row.counted);
}

/// Whatever the service does: only its own paths are asked for, always with a token; nothing that
/// it redirects to, or names as a proxy, gets anything; nothing it says gets raw into a log.
void check_manners(const std::vector<Simulator::Json>& asked, const SimulatedBoot& boot) {
    for (const auto& line : asked) {
        INFO(line.dump());
        const bool token = line["method"] == "PUT" && line["path"] == "/latest/api/token";
        const bool value = line["method"] == "GET" && line["token"] == true &&
                           line["path"].get<std::string>().starts_with("/2021-07-15/");
        CHECK((token || value));
    }
    CHECK(simulator().recorded().empty());
    for (const auto& notice : boot.notices) {
        INFO(notice);
        CHECK(std::ranges::all_of(notice, [](char c) { return c >= ' ' && c < 0x7f; }));
    }
}

/// Attempts that never became a request: nobody took them.
unsigned unseen(const FailureRow& row, const MetadataCounters& counters) {
    unsigned sum = 0;
    for (const auto& [why, count] : counters.failures) {
        const bool hung = why == "timed_out" && row.rules.find("drop_connects") != row.rules.npos;
        if (why == "refused" || why == "unreachable" || hung) sum += count;
    }
    return sum;
}

void check_whole_reading(const FailureRow& row) {
    SimulatedBoot boot(access(row));
    begin(boot, row);
    const auto metadata = boot.read();
    const auto asked = simulator().asked();
    const auto& counters = boot.service.counters();
    const double took = seconds(boot.clock.elapsed());
    UNSCOPED_INFO(asked.size() << " requests seen, " << counters.requests << " attempts, " << took
                               << " s");
    CHECK(ending(metadata.identity, healthy_identity) == row.identity);
    CHECK(ending(metadata.mapping, healthy_mapping) == row.mapping);
    CHECK(asked.size() >= row.requests.low);
    CHECK(asked.size() <= row.requests.high);
    CHECK(counters.requests == asked.size() + unseen(row, counters));
    CHECK(took >= row.took.low);
    CHECK(took <= row.took.high);
    CHECK(counters.disagreements == row.disagreements);
    check_manners(asked, boot);
}

template <std::size_t N>
void check(const FailureRow (&table)[N]) {
    for (const auto& row : table) {
        INFO(row.name);
        check_first_reading(row);
        check_whole_reading(row);
    }
}

} // namespace

TEST_CASE("metadata failures: no answer") {
    const FailureRow table[] = {
        {.name = "refused for 5 s",
         .rules = R"({"refuse": true})",
         .until = 5s,
         .meets = Met{Errc::refused, of_service},
         .counted = "refused: 1",
         .requests = {least, least},
         .took = {5.3, 10.6}},
        {.name = "refused for ever",
         .rules = R"({"refuse": true})",
         .meets = Met{Errc::refused, of_service},
         .counted = "refused: 1",
         .identity = "refused",
         .mapping = "refused",
         .requests = {0, 0},
         .took = whole_deadline},
        {.name = "unreachable", // TCP has no way to a broadcast address
         .rules = "",
         .meets = Met{Errc::unreachable, of_service},
         .counted = "unreachable: 1",
         .identity = "unreachable",
         .mapping = "unreachable",
         .requests = {0, 0},
         .took = whole_deadline,
         .host = "127.255.255.255"},
        {.name = "timeout at connect",
         .rules = R"({"drop_connects": true})",
         .until = 900ms,
         .ended_by = &HttpRequest::connect_limit,
         .meets = Met{Errc::timed_out, of_service},
         .counted = "timed_out: 1",
         .requests = {least, least},
         .took = {1.3, 1.71}},
        {.name = "slow loris",
         .rules = R"({"path": "@document", "times": 1, "drip": 0.5})",
         .ended_by = &HttpRequest::total_limit,
         .meets = Met{Errc::timed_out, of_service},
         .counted = "timed_out: 1",
         .requests = {least + 1, least + 1},
         .took = {2.3, 2.71}},
        {.name = "reset in the body",
         .rules = R"({"path": "@document", "times": 1, "reset": 5})",
         .meets = Met{Errc::transient, of_service},
         .counted = "transient: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "shorter than it says",
         .rules = R"({"path": "@document", "times": 1, "length_off_by": 7})",
         .meets = Met{Errc::transient, of_service},
         .counted = "transient: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "longer than it says", // the rest may spoil the next answer, too
         .rules = R"({"path": "@document", "times": 1, "length_off_by": -7})",
         .meets = Met{Errc::malformed},
         .says = "expected a JSON object",
         .requests = {least + 1, least + 2},
         .took = {0.3, 1.11}},
        {.name = "longer than it says, and a value by its look",
         .rules = R"({"path": "@entry", "times": 1, "length_off_by": -1, "keep_alive": false})",
         .of_mapping = true,
         .requests = {least + 16, least + 16},
         .took = {5.1, 5.3},
         .disagreements = 1},
        {.name = "oversized",
         .rules = R"({"path": "@document", "times": 1, "oversized": 4000000})",
         .meets = Met{Errc::too_large, of_service},
         .counted = "too_large: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "not HTTP",
         .rules = R"({"path": "@document", "times": 1, "raw": "SSH-2.0-x\r\n"})",
         .meets = Met{Errc::malformed, of_service},
         .counted = "malformed: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
    };
    check(table);
}

TEST_CASE("metadata failures: an answer that says no") {
    const FailureRow table[] = {
        {.name = "401 once: a new token, and the reading succeeds",
         .rules = R"({"path": "@document", "times": 1, "status": 401})",
         .counted = "http 401: 1",
         .requests = {least + 2, least + 2}},
        {.name = "401 to everything for 10 s: one new token a use",
         .rules = R"({"path": ["@values"], "status": 401})",
         .until = 10s,
         .meets = Met{Errc::unauthorized, of_service},
         .counted = "http 401: 2",
         .requests = {least + 4 * 3, least + 4 * 20},
         .took = {10.3, 15.6}},
        {.name = "401 for ever: kept on until the deadline",
         .rules = R"({"path": ["@values"], "status": 401})",
         .meets = Met{Errc::unauthorized, of_service},
         .counted = "http 401: 2",
         .identity = "unauthorized",
         .mapping = "unauthorized",
         .requests = {4 * 40, 4 * 90},
         .took = whole_deadline},
        {.name = "403 to the token: switched off",
         .rules = R"({"status": 403})",
         .meets = Met{Errc::denied, of_service, is_final},
         .says = "switched off for this instance",
         .counted = "http 403: 1",
         .identity = "denied",
         .mapping = "denied",
         .requests = {1, 1},
         .took = {0, 0}},
        {.name = "403 to a value for 5 s",
         .rules = R"({"path": "@document", "status": 403})",
         .until = 5s,
         .meets = Met{Errc::denied},
         .says = "answered 403, expected 200",
         .counted = "http 403: 1",
         .requests = {least + 3, least + 20},
         .took = {5.3, 10.6}},
        {.name = "404 for 2 s",
         .rules = R"({"path": "@document", "status": 404})",
         .until = 2s,
         .meets = Met{Errc::absent},
         .counted = "http 404: 1",
         .requests = {least + 3, least + 5},
         .took = {2.4, 3.6},
         .disagreements = 1},
        {.name = "404 for ever is believed after 5 s",
         .rules = R"({"path": "@document", "status": 404})",
         .meets = Met{Errc::absent},
         .counted = "http 404: 1",
         .identity = "absent",
         .requests = {least + 4, least + 4},
         .took = {5, 5.1}},
        {.name = "404 for the list, likewise",
         .rules = R"({"path": "@list", "status": 404})",
         .of_mapping = true,
         .meets = Met{Errc::absent},
         .counted = "http 404: 1",
         .mapping = "absent",
         .requests = {1 + 3 + 7, 1 + 3 + 7},
         .took = {5, 5.1}},
        {.name = "404 to the token says nothing of the values",
         .rules = R"({"path": "@token", "status": 404})",
         .meets = Met{Errc::transient, of_service},
         .counted = "http 404: 1",
         .identity = "transient",
         .mapping = "transient",
         .requests = {40, 90},
         .took = whole_deadline},
        {.name = "an entry that vanishes between the list and its reading",
         .rules = R"({"path": "@entry", "times": 1, "status": 404})",
         .of_mapping = true,
         .meets = Met{Errc::conflict},
         .counted = "http 404: 1",
         .requests = {least + 4, least + 4},
         .took = {0.3, 0.71}},
        {.name = "an entry that is listed and never there",
         .rules = R"({"path": "@entry", "status": 404})",
         .of_mapping = true,
         .meets = Met{Errc::conflict},
         .counted = "http 404: 1",
         .mapping = "conflict",
         .requests = {4 + 4 * 40, 4 + 4 * 90},
         .took = whole_deadline},
        {.name = "400 to the token: our request is wrong, and stays so",
         .rules = R"({"path": "@token", "status": 400})",
         .meets = Met{Errc::malformed, of_service, is_final},
         .says = "answered 400",
         .counted = "http 400: 1",
         .identity = "malformed",
         .mapping = "malformed",
         .requests = {1, 1},
         .took = {0, 0}},
        {.name = "400 to a value",
         .rules = R"({"path": "@document", "status": 400})",
         .meets = Met{Errc::malformed},
         .says = "answered 400",
         .counted = "http 400: 1",
         .identity = "malformed",
         .requests = {25 + 40, 25 + 90},
         .took = whole_deadline},
        {.name = "500, 502, 504",
         .rules = R"({"path": "@document", "sequence":
                      [{"status": 500}, {"status": 502}, {"status": 504}]})",
         .meets = Met{Errc::transient},
         .counted = "http 500: 1",
         .requests = {least + 3, least + 3},
         .took = {0.3, 1.91}},
        {.name = "302, to the service itself and to another",
         .rules = R"({"path": "@document", "sequence":
                      [{"redirect": "@service/elsewhere"}, {"redirect": "@endpoint/elsewhere"},
                       {"redirect": "@service/latest/@document", "status": 307}]})",
         .meets = Met{Errc::malformed},
         .says = "answered 302",
         .counted = "http 302: 1",
         .requests = {least + 3, least + 3},
         .took = {0.3, 1.91}},
        {.name = "302 to the token",
         .rules = R"({"path": "@token", "times": 1, "redirect": "@endpoint/elsewhere"})",
         .meets = Met{Errc::malformed, of_service},
         .counted = "http 302: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
    };
    check(table);
}

TEST_CASE("metadata failures: asked to slow down") {
    const FailureRow table[] = {
        {.name = "503 to everything for 5 s, without a time",
         .rules = R"({"status": 503})",
         .until = 5s,
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 503: 1",
         .requests = {least + 3, least + 20},
         .took = {5.3, 10.6}},
        {.name = "503 to the document for ever: the mapping is read all the same",
         .rules = R"({"path": "@document", "status": 503})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 503: 1",
         .identity = "throttled",
         .requests = {25 + 40, 25 + 90},
         .took = whole_deadline},
        {.name = "429, in seconds",
         .rules = R"({"path": "@document", "times": 1, "status": 429, "retry_after": 3})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 429: 1",
         .requests = {least + 1, least + 1},
         .took = {3.3, 3.51}},
        {.name = "503, as a date",
         .rules = R"({"path": "@token", "times": 1, "status": 503, "retry_after":
                      "Sat, 21 Nov 2026 20:00:04 GMT"})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 503: 1",
         .requests = {least + 1, least + 1},
         .took = {4.3, 4.51}},
        {.name = "503 twice, then right",
         .rules = R"({"path": "@document", "times": 2, "status": 503, "retry_after": 2})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 503: 1",
         .requests = {least + 2, least + 2},
         .took = {4.3, 4.51}},
        {.name = "no more than 30 s of the deadline",
         .rules = R"({"path": "@document", "times": 1, "status": 429, "retry_after": 86400})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 429: 1",
         .requests = {least + 1, least + 1},
         .took = {30.3, 30.51}},
        {.name = "a time that is none",
         .rules = R"({"path": "@document", "sequence":
                      [{"status": 429, "retry_after": "soon"}, {"status": 503, "retry_after": -5},
                       {"status": 503, "retry_after": "Sat, 21 Nov 2026 19:00:00 GMT"}]})",
         .meets = Met{Errc::throttled, of_service},
         .counted = "http 429: 1",
         .requests = {least + 3, least + 3},
         .took = {0.3, 1.91}},
    };
    check(table);
}

TEST_CASE("metadata failures: an answer that is none") {
    const FailureRow table[] = {
        {.name = "nothing",
         .rules = R"({"path": "@document", "times": 2, "empty": true})",
         .meets = Met{Errc::empty},
         .counted = "empty: 1",
         .requests = {least + 2, least + 2},
         .took = {0.3, 1.11}},
        {.name = "nothing in place of the token",
         .rules = R"({"path": "@token", "times": 1, "empty": true})",
         .meets = Met{Errc::empty, of_service},
         .counted = "empty: 1",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "a proxy's page in place of the token",
         .rules = R"({"html": true})",
         .until = 5s,
         .meets = Met{Errc::empty, of_service},
         .says = "something else may sit at that address",
         .counted = "empty: 1",
         .requests = {least + 3, least + 20},
         .took = {5.3, 10.6}},
        {.name = "a proxy's page in place of the document",
         .rules = R"({"path": "@document", "times": 2, "html": true})",
         .meets = Met{Errc::malformed},
         .says = "expected a JSON object",
         .requests = {least + 2, least + 2},
         .took = {0.3, 1.11}},
        {.name = "a proxy's page in place of the list",
         .rules = R"({"path": "@list", "times": 1, "html": true})",
         .of_mapping = true,
         .meets = Met{Errc::malformed},
         .says = "expected names",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "a proxy's page in place of an entry",
         .rules = R"({"path": "@entry", "times": 1, "html": true})",
         .of_mapping = true,
         .meets = Met{Errc::malformed},
         .says = "expected a device",
         .requests = {least + 4, least + 4},
         .took = {0.3, 0.71}},
        {.name = "binary",
         .rules = R"({"path": ["@values"], "times": 1, "binary": 300, "each_path": true})",
         .meets = Met{Errc::malformed},
         .requests = {least + 1 + 36, least + 1 + 36},
         .took = {0.3, 21.8}},
        {.name = "a document that is no UTF-8",
         .rules = R"({"path": "@document", "times": 1, "raw":
                      "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"instanceId\":\"i-\u00ff\"}"})",
         .meets = Met{Errc::malformed},
         .says = R"(found "{"instanceId":"i-?"}")",
         .requests = {least + 1, least + 1},
         .took = {0.3, 0.71}},
        {.name = "an entry that is no UTF-8",
         .rules = R"({"path": "@entry", "times": 1, "raw":
                      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsd\u00ff"})",
         .of_mapping = true,
         .meets = Met{Errc::malformed},
         .says = R"(found "sd?")",
         .requests = {least + 4, least + 4},
         .took = {0.3, 0.71}},
    };
    check(table);
}

TEST_CASE("metadata failures: the same in another shape is the same") {
    const auto shaped = [](const char* name, const std::string& shape) {
        return FailureRow{
            .name = name, .rules = shape, .of_mapping = true, .requests = {least, least}};
    };
    const FailureRow table[] = {
        shaped("a newline at the end", R"({"path": ["@values"], "trailing_newline": true})"),
        shaped("CRLF", R"({"path": ["@values"], "crlf": true, "trailing_newline": true})"),
        shaped("each name twice", R"({"path": "@list", "duplicate": true})"),
        shaped("another each time",
               R"({"path": "@list", "sequence": [{"crlf": true, "trailing_newline": true},
                                                 "right", {"duplicate": true}]},
                  {"path": "@entry", "sequence": [{"body": "/dev/sdb"}, "right",
                                                  {"body": "/dev/sdb\r\n"}]})"),
        shaped("without a length", R"({"path": ["@values"], "chunked": true})"),
    };
    check(table);
}
