// The metadata service at an IPv4 and an IPv6 address, on sockets and through the real client:
// which one is asked, and that the other one costs nothing.
#include "tests/probes/simulated_service.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;
using muster::testing::Simulator;
using muster::testing::TwoFamilies;

namespace {

const std::string refused = R"({"refuse": true})";
const std::string hangs = R"({"drop_connects": true})";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    return text.replace(text.find(what), what.size(), by);
}

/// One pair for all tests. Each begins with it well, and forgetful.
struct Pair {
    explicit Pair(const std::string& v4_rules = "", const std::string& v6_rules = "") {
        swap(v4, v4_rules);
        swap(v6, v6_rules);
    }

    static void swap(Simulator& simulator, const std::string& rules, bool imdsv1 = false) {
        simulator.swap(
            fmt::format(R"({{"metadata": [{}], "options": {{"imdsv1": {}}}}})", rules, imdsv1));
        simulator.forget();
    }

    [[nodiscard]] MetadataAccess access() const {
        return {.endpoint = v4.metadata, .addresses = {"127.0.0.1", "::1"}};
    }

    static TwoFamilies& both() {
        static TwoFamilies instance;
        return instance;
    }

    Simulator& v4 = both().v4;
    Simulator& v6 = both().v6;
};

/// A boot's reading, with its first one timed.
struct Read {
    /// `unanswered`: the first of its requests.
    explicit Read(MetadataAccess access, const HttpOptions& options = one_by_one,
                  unsigned unanswered = 0)
        : boot(std::move(access), options) {
        boot.http.unanswered = unanswered;
        const auto real = make_system_clock();
        const Instant start = real->now();
        const testing::Limit limit;
        const auto reading = read_identity(boot.service, boot.soon());
        first_took = real->now() - start;
        CHECK(limit.holds("the first reading"));
        first = reading ? "right" : to_string(reading.error().error.code);
        const auto metadata = boot.read(20s);
        CHECK(ending(metadata.identity, healthy_identity) ==
              ending(metadata.mapping, healthy_mapping));
        all = ending(metadata.mapping, healthy_mapping);
    }

    SimulatedBoot boot;
    std::string first; ///< how the first reading ended
    std::string all;   ///< how identity and mapping ended
    Duration first_took{};
};

int count(Simulator& simulator, const char* what) {
    return simulator.state()["metadata"][what].get<int>();
}

bool impossible() {
    if (TwoFamilies::possible()) return false;
    WARN("no IPv6 here");
    return true;
}

/// What `Read` asks of a service that is well: one reading more of the document.
const int all_requests = static_cast<int>(fewest_requests) + 1;

} // namespace

TEST_CASE("metadata addresses: IPv4 answers: IPv6 is not even connected") {
    if (impossible()) return;
    Pair pair;
    const Read read(pair.access());
    CHECK(read.all == "right");
    CHECK(read.boot.service.endpoint() == pair.v4.metadata);
    CHECK(count(pair.v4, "connections") == 1);
    CHECK(count(pair.v4, "requests") == all_requests);
    CHECK(count(pair.v6, "connections") == 0);
}

TEST_CASE("metadata addresses: IPv4 is refused, or has no route: IPv6 at once, and kept") {
    if (impossible()) return;
    std::string first = "127.0.0.1";
    SECTION("refused") {}
    SECTION("no route") {
        first = "127.255.255.255";
    }
    Pair pair(refused);
    const Read read(
        {.endpoint = replaced(pair.v4.metadata, "127.0.0.1", first), .addresses = {first, "::1"}});
    CHECK(read.all == "right"); // it wasn't waited for: that would be an hour
    CHECK(read.first == "right");
    CHECK(read.boot.service.endpoint() == pair.v6.metadata);
    CHECK(read.boot.service.counters().failures.empty());
    CHECK(count(pair.v6, "requests") == all_requests);
    // One to find it, and one under its own name that is kept.
    CHECK(count(pair.v6, "connections") == 2);
    CHECK(count(pair.v4, "connections") == 0);
}

TEST_CASE("metadata addresses: the one that was kept stays, though the other one comes up") {
    if (impossible()) return;
    Pair pair(refused);
    SimulatedBoot boot(pair.access());
    CHECK(read_identity(boot.service, boot.soon()));
    Pair::swap(pair.v4, "");
    boot.clock.advance(400s); // a new token, too
    CHECK(read_identity(boot.service, boot.soon()));
    CHECK(count(pair.v4, "requests") == 0);
    CHECK(count(pair.v6, "requests") == 4);
}

TEST_CASE("metadata addresses: connects to IPv4 hang: IPv6 a quarter of a second later") {
    if (impossible()) return;
    Pair pair(hangs);
    const Read read(pair.access(), side_by_side);
    CHECK(read.first == "right"); // long before the limit of a connect
    CHECK(read.all == "right");
    CHECK(seconds(read.first_took) > 0.2);
    CHECK(HttpOptions().family_delay == 250ms);
    CHECK(read.boot.service.endpoint() == pair.v6.metadata);
    CHECK(count(pair.v6, "requests") == all_requests); // no other one waited
    CHECK(read.boot.service.counters().failures.empty());
}

TEST_CASE("metadata addresses: IPv4 connects and gives no token: IPv6 is the next to be asked") {
    if (impossible()) return;
    const char* rule = nullptr;
    const char* error = nullptr;
    unsigned unanswered = 0;
    SECTION("it never answers") {
        rule = R"({"blackhole": true})";
        error = "timed_out";
        unanswered = 1;
    }
    SECTION("it says no, and keeps the connection") {
        rule = R"({"status": 503})";
        error = "throttled";
    }
    SECTION("it is something else") {
        rule = R"({"html": true})";
        error = "empty";
    }
    Pair pair(rule);
    const Read read(pair.access(), one_by_one, unanswered);
    CHECK(read.first == error);
    CHECK(read.all == "right");
    CHECK(read.boot.service.endpoint() == pair.v6.metadata);
    CHECK(count(pair.v4, "requests") == 1);
    CHECK(count(pair.v6, "requests") == static_cast<int>(fewest_requests));
}

TEST_CASE("metadata addresses: neither: an error, within the limits of one try") {
    if (impossible()) return;
    SECTION("refused") {
        Pair pair(refused, refused);
        const Read read(pair.access());
        CHECK(read.first == "refused");
        CHECK(read.all == "refused");
    }
    SECTION("connects hang") {
        Pair pair(hangs, hangs);
        SimulatedBoot boot(pair.access(), side_by_side);
        boot.http.unanswered = 1;
        boot.http.ended_by = &HttpRequest::connect_limit;
        const auto reading = read_identity(boot.service, boot.soon());
        REQUIRE_FALSE(reading);
        CHECK(to_string(reading.error().error.code) == "timed_out");
        CHECK(reading.error().of_service);
        CHECK(boot.clock.elapsed() == 1s);
    }
    SECTION("one hangs, one is refused") {
        Pair pair(hangs, refused);
        SimulatedBoot boot(pair.access(), side_by_side);
        boot.http.unanswered = 1;
        boot.http.ended_by = &HttpRequest::connect_limit;
        const auto reading = read_identity(boot.service, boot.soon());
        REQUIRE_FALSE(reading);
        CHECK(is_retryable(reading.error().error.code));
        CHECK(boot.clock.elapsed() <= 1s);
    }
}

TEST_CASE("metadata addresses: without tokens the address that gave a value is kept") {
    if (impossible()) return;
    Pair pair(R"({"path": "api/token", "status": 404})");
    Pair::swap(pair.v4, R"({"path": "api/token", "status": 404})", true);
    auto access = pair.access();
    access.imdsv1 = true;
    SECTION("the other one is refused") {
        Pair::swap(pair.v6, refused);
        const Read read(access);
        CHECK(read.all == "right");
        CHECK(read.boot.service.endpoint() == pair.v4.metadata);
        CHECK(read.boot.service.counters().imdsv1);
        CHECK(count(pair.v4, "requests") == all_requests);
        CHECK(count(pair.v4, "connections") == 2); // one was dropped, to try the other address
    }
    SECTION("the other one never answers") {
        Pair::swap(pair.v4, R"({"path": "api/token", "blackhole": true})", true);
        Pair::swap(pair.v6, R"({"blackhole": true})");
        SimulatedBoot boot(access);
        boot.http.unanswered = 2; // for a token by one address, the value by the other
        CHECK_FALSE(read_identity(boot.service, boot.soon()));
        CHECK(read_identity(boot.service, boot.soon()));
        CHECK(boot.service.endpoint() == pair.v4.metadata);
        CHECK(count(pair.v6, "requests") == 1);
    }
    SECTION("the other one has tokens") {
        const Read read(access);
        CHECK(read.all == "right");
        CHECK(read.boot.service.endpoint() == pair.v6.metadata);
        CHECK_FALSE(read.boot.service.counters().imdsv1);
        CHECK(count(pair.v4, "requests") == 1);
        CHECK(count(pair.v6, "requests") == all_requests + 1); // the first one without a token
    }
    Pair::swap(pair.v4, "");
}
