// What the metadata service is asked for, how often, and by which way: on a socket and through the
// real client.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/probes/metadata_script.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;

TEST_CASE("metadata requests: one connection, one token, no request too many") {
    simulator().swap(script(""));
    simulator().forget();
    SimulatedBoot boot({.endpoint = simulator().metadata});
    const auto metadata = boot.read();
    CHECK(ending(metadata.identity, healthy_identity) == "right");
    CHECK(ending(metadata.mapping, healthy_mapping) == "right");
    const auto state = simulator().state()["metadata"];
    CHECK(state["connections"] == 1);
    CHECK(state["requests"] == 1 + 3 * (1 + 1 + 7));
    CHECK(state["by_path"]["PUT /latest/api/token"] == 1);
    CHECK(boot.service.counters().requests == 28);
    CHECK(boot.service.counters().retries == 0);
    CHECK(boot.service.counters().failures.empty());
    CHECK(boot.clock.elapsed() <= 500ms);
    CHECK(boot.notices.empty());
}

TEST_CASE("metadata requests: a name in each of its spellings") {
    simulator().swap(script(R"({"path": "@list*", "instance": {"block-device-mapping": {
        "ephemeral0": "sdb", "ephemeral1": "/dev/sdc", "ephemeral2": "xvdd",
        "ephemeral3": "/dev/xvde", "ami": "sda1", "root": "/dev/sda1"}}})"));
    SimulatedBoot boot({.endpoint = simulator().metadata});
    const auto metadata = boot.read();
    CHECK(ending(metadata.mapping, {{"ami", "sda1"},
                                    {"ebs1", "sdf"},
                                    {"ephemeral0", "sdb"},
                                    {"ephemeral1", "sdc"},
                                    {"ephemeral2", "xvdd"},
                                    {"ephemeral3", "xvde"},
                                    {"root", "sda1"}}) == "right");
    CHECK(metadata.mapping.disagreements == 0);
}

TEST_CASE("metadata requests: a token is used until shortly before its end") {
    simulator().swap(script(""));
    simulator().forget();
    SimulatedBoot boot({.endpoint = simulator().metadata});
    const auto read_after = [&](Duration wait) {
        boot.clock.advance(wait);
        CHECK(read_identity(boot.service, boot.soon()));
        return simulator().state()["metadata"]["by_path"]["PUT /latest/api/token"].get<int>();
    };
    CHECK(read_after(0s) == 1);
    CHECK(read_after(100s) == 1);
    CHECK(read_after(169s) == 1);
    CHECK(read_after(1s) == 2); // of 300 s there are 30 left
    CHECK(read_after(0s) == 2);
    CHECK(boot.service.counters().failures.empty());
    CHECK(simulator().state()["metadata"]["connections"] == 1);
}

TEST_CASE("metadata requests: tokens that have ended when they come are renewed once a use") {
    simulator().swap(R"({"metadata": [], "options": {"token_lifetime": 0}})");
    simulator().forget();
    SimulatedBoot boot({.endpoint = simulator().metadata});
    for (unsigned use = 1; use <= 3; ++use) {
        const auto read = read_identity(boot.service, boot.soon());
        REQUIRE_FALSE(read);
        CHECK(read.error().error.code == Errc::unauthorized);
        CHECK(read.error().of_service);
        CHECK_FALSE(read.error().final);
        CHECK(simulator().asked().size() == 4 * use); // PUT, 401, PUT, 401
    }
    simulator().swap(R"({"options": {"token_lifetime": null}})");
    CHECK(read_identity(boot.service, boot.soon()));
    CHECK(simulator().asked().size() == 4 * 3 + 2);
}

namespace {

/// For as long as it lives, the environment names this as everybody's proxy.
struct EnvironmentProxy {
    explicit EnvironmentProxy(const std::string& address) {
        for (const char* name : names)
            ::setenv(name, address.c_str(), 1);
    }
    EnvironmentProxy(const EnvironmentProxy&) = delete;
    EnvironmentProxy& operator=(const EnvironmentProxy&) = delete;
    ~EnvironmentProxy() {
        for (const char* name : names)
            ::unsetenv(name);
    }
    static constexpr const char* names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
};

} // namespace

TEST_CASE("metadata requests: a proxy of the environment is not asked") {
    simulator().swap(script(""));
    simulator().forget();
    // One that records, and one that isn't there.
    for (const auto& address : {simulator().endpoint, std::string("http://127.0.0.1:9")}) {
        const EnvironmentProxy proxy(address);
        SimulatedBoot boot({.endpoint = simulator().metadata});
        CHECK(ending(boot.read().identity, healthy_identity) == "right");
    }
    CHECK(simulator().recorded().empty());
    CHECK(simulator().state()["endpoint"]["connections"] == 0);
}

namespace {

struct Fault {
    const char* name;
    const char* rules;
    unsigned values;    ///< that are read side by side
    unsigned a_reading; ///< requests
    unsigned others;    ///< whatever the number of readings
};

/// Requests in 150 s that nothing makes better.
unsigned load_of(unsigned values, std::uint64_t seed) {
    SimulatedBoot boot({.endpoint = simulator().metadata});
    std::vector<std::unique_ptr<Pursuit<Identity>>> pursuits;
    std::vector<Pursued*> all;
    for (unsigned i = 0; i < values; ++i) {
        pursuits.push_back(std::make_unique<Pursuit<Identity>>(
            Recipe<Identity>{&read_identity, Need{}}, boot.clock.now(), 1000 * i + seed));
        all.push_back(pursuits.back().get());
    }
    pursue(all, boot.service, boot.clock, Deadline::in(boot.clock, 150s), [](auto, auto) {});
    CHECK(std::ranges::none_of(all, &Pursued::done));
    CHECK(boot.clock.elapsed() <= 150s);
    return boot.service.counters().requests;
}

} // namespace

// Full jitter below a ceiling of 0.2, 0.4, 0.8, 1.6, 3.2 and then 5 s: five readings in 3.1 s, then
// one in 2.5 s on average: 65 in 150 s, of however many values. The deviation of that is 4.4; five
// of them each way.
TEST_CASE("metadata requests: a failing service sees no more than the schedule gives") {
    const Fault table[] = {
        {"refused", R"({"refuse": true})", 2, 1, 0},
        {"503 to everything", R"({"status": 503})", 2, 1, 0},
        {"503 to everything, ten values", R"({"status": 503})", 10, 1, 0},
        {"503 to the values", R"({"path": ["@values"], "status": 503})", 2, 1, 1},
        {"401 to the values", R"({"path": ["@values"], "status": 401})", 2, 4, 0},
    };
    for (const auto& [name, rules, values, a_reading, others] : table) {
        INFO(name);
        simulator().swap(script(rules));
        std::vector<unsigned> loads;
        for (std::uint64_t seed = 1; seed <= 20; ++seed)
            loads.push_back(load_of(values, seed));
        const auto [fewest, most] = std::ranges::minmax(loads);
        const auto mean = std::accumulate(loads.begin(), loads.end(), 0U) / loads.size();
        WARN(name << ": " << fewest << " to " << most << " requests in 150 s, " << mean
                  << " on average");
        CHECK(fewest >= 43 * a_reading + others);
        CHECK(most <= 87 * a_reading + others);
        CHECK(mean >= 60 * a_reading);
        CHECK(mean <= 70 * a_reading + others);
    }
}

namespace {

/// Requests for a token, and for values without one and with one.
std::string asked_so() {
    int tokens = 0;
    int bare = 0;
    int values = 0;
    for (const auto& line : simulator().asked())
        ++(line["method"] == "PUT" ? tokens : line["token"] == true ? values : bare);
    return fmt::format("{} tokens, {} values without one, {} with one", tokens, bare, values);
}

} // namespace

TEST_CASE("metadata requests: without a token only where that is allowed") {
    struct Refusal {
        const char* name;
        const char* rules; ///< of the token
        bool service_has_v1;
        const char* allowed;     ///< how it ends, and what was asked, where `imdsv1` is true
        const char* not_allowed; ///< and where it is false
    };
    const char* never = ", 0 values without one, 0 with one";
    const Refusal table[] = {
        {"tokens are to be had", "", true, "right, 1 tokens, 0 values without one, 27 with one",
         "right, 1 tokens, 0 values without one, 27 with one"},
        {"404", R"({"path": "@token", "status": 404})", true,
         "right, 1 tokens, 27 values without one, 0 with one", never},
        {"405", R"({"path": "@token", "status": 405})", true,
         "right, 1 tokens, 27 values without one, 0 with one", never},
        {"501", R"({"path": "@token", "status": 501})", true,
         "right, 1 tokens, 27 values without one, 0 with one", never},
        {"the answer is lost", R"({"path": "@token", "times": 1, "blackhole": true})", true,
         "right, 1 tokens, 27 values without one, 0 with one",
         "right, 2 tokens, 0 values without one, 27 with one"},
        {"only not now", R"({"path": "@token", "times": 2, "status": 503})", true,
         "right, 3 tokens, 0 values without one, 27 with one",
         "right, 3 tokens, 0 values without one, 27 with one"},
        {"404 once, and tokens are needed", R"({"path": "@token", "times": 1, "status": 404})",
         false, "right, 2 tokens, 1 values without one, 27 with one",
         "right, 2 tokens, 0 values without one, 27 with one"},
        {"404, and tokens are needed", R"({"path": "@token", "status": 404})", false,
         "unauthorized, ", never},
        {"switched off", R"({"status": 403})", true,
         "denied, 1 tokens, 0 values without one, 0 with one",
         "denied, 1 tokens, 0 values without one, 0 with one"},
    };
    for (const auto& row : table) {
        for (const bool allowed : {true, false}) {
            INFO(row.name << (allowed ? ", allowed" : ", not allowed"));
            simulator().swap(fmt::format(R"({{"options": {{"imdsv1": {}}}}})", row.service_has_v1));
            simulator().swap(script(row.rules));
            simulator().forget();
            SimulatedBoot boot({.endpoint = simulator().metadata, .imdsv1 = allowed});
            if (std::string_view(row.rules).contains("blackhole")) boot.http.unanswered = 1;
            const auto metadata = boot.read(20s);
            const auto asked = asked_so();
            CHECK_THAT(ending(metadata.identity, healthy_identity) + ", " + asked,
                       Catch::Contains(allowed ? row.allowed : row.not_allowed));
            const bool taken_without = allowed && asked.find(" 27 values without") != asked.npos;
            CHECK(boot.service.counters().imdsv1 == taken_without);
        }
    }
    simulator().swap(R"({"options": {"imdsv1": false}})");
}
