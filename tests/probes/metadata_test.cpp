#include <algorithm>
#include <numeric>

#include "tests/probes/fake_metadata.h"

using namespace muster;
using namespace muster::probes;
using namespace std::chrono_literals;
using Reply = std::optional<FakeMetadata::Answer>;

namespace {

const Mapping right{{"ami", "sda1"}, {"ephemeral0", "sdb"}, {"root", "sda1"}};

unsigned sum(const std::map<std::string, unsigned>& counts) {
    return std::accumulate(counts.begin(), counts.end(), 0U,
                           [](unsigned all, const auto& one) { return all + one.second; });
}

void check_right(const Metadata& metadata) {
    REQUIRE(metadata.identity.get() != nullptr);
    CHECK(metadata.identity.get()->instance_id == "i-0abc");
    REQUIRE(metadata.mapping.get() != nullptr);
    CHECK(*metadata.mapping.get() == right);
}

} // namespace

TEST_CASE("metadata: a healthy service is asked no more than it must be") {
    FakeMetadata fake;
    const auto metadata = fake.read();
    check_right(metadata);
    CHECK(metadata.identity.readings == 3);
    CHECK(metadata.mapping.readings == 3);
    CHECK(fake.service.endpoint() == "http://imds");
    // One token; three times the document, the list, and each of its three entries.
    CHECK(fake.http.requests.size() == 1 + 3 * (1 + 1 + 3));
    CHECK(fake.service.counters().requests == fake.http.requests.size());
    CHECK(fake.asked("token") == 1);
    CHECK(fake.service.counters().retries == 0);
    CHECK(fake.service.counters().disagreements == 0);
    CHECK(fake.clock.elapsed() < 700ms);
    CHECK(fake.notices.empty());
    // Spaced: three readings of one millisecond may be three times the same wrong moment.
    CHECK(fake.when(identity_path, 1) - fake.when(identity_path) >= 150ms);
    CHECK(fake.when(mapping_path, 2) - fake.when(mapping_path, 1) >= 150ms);
}

TEST_CASE("metadata: refused 5 s, 503, empty twice, right, empty, right: right, and all counted") {
    int throttled = 0;
    int lists = 0;
    FakeMetadata* service = nullptr;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (service->clock.elapsed() < 5s) return fail(Errc::refused, "connection refused");
        if (throttled++ == 0) return FakeMetadata::status(503, "", {{"retry-after", "3"}});
        if (path == mapping_path) {
            ++lists;
            if (lists <= 2 || lists == 4) return FakeMetadata::status(200);
        }
        return std::nullopt;
    });
    service = &fake;
    const auto metadata = fake.read();
    check_right(metadata);
    const auto& counters = fake.service.counters();
    CHECK(counters.empty == 3);
    CHECK(counters.failures.at("http 503") == 1);
    CHECK(counters.failures.at("refused") >= 3);
    CHECK(counters.failures.at("refused") <= 40); // backoff, for two values together
    CHECK(counters.retries == counters.empty + sum(counters.failures));
    CHECK(counters.disagreements == 0);
    CHECK(lists == 2 + 1 + 1 + 3); // the one before the last empty answer did not count
    CHECK(fake.clock.elapsed() > 8s);
    CHECK(fake.clock.elapsed() < 25s);
    CHECK_FALSE(fake.notices.empty());
}

TEST_CASE("metadata: 403 to the token request ends it at once") {
    FakeMetadata fake([](const std::string&) -> Reply { return FakeMetadata::status(403); });
    const auto metadata = fake.read();
    CHECK(fake.http.requests.size() == 1);
    REQUIRE_FALSE(metadata.identity.value);
    CHECK(metadata.identity.value.error().code == Errc::denied);
    CHECK_THAT(metadata.identity.value.error().message, Catch::Contains("switched off"));
    CHECK_FALSE(metadata.mapping.value);
    CHECK(fake.clock.elapsed() < 1s);
}

TEST_CASE("metadata: 401 early in the boot is outlasted") {
    FakeMetadata* service = nullptr;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path != "token" && service->clock.elapsed() < 10s) return FakeMetadata::status(401);
        return std::nullopt;
    });
    service = &fake;
    const auto metadata = fake.read();
    check_right(metadata);
    // Each use that was refused asked for one new token, and every second one was a new use.
    const auto refused = fake.service.counters().failures.at("http 401");
    CHECK(refused >= 4);
    CHECK(fake.asked("token") <= refused + 1);
    CHECK(fake.service.counters().retries == refused);
}

TEST_CASE("metadata: no token to be had (404) is never taken for an absent value") {
    FakeMetadata fake([](const std::string& path) -> Reply {
        REQUIRE(path == "token");
        return FakeMetadata::status(404);
    });
    const auto metadata = fake.read(30s);
    CHECK_FALSE(metadata.identity.value);
    CHECK_FALSE(metadata.mapping.value);
    CHECK(fake.service.counters().failures.at("http 404") > 5);
}

TEST_CASE("metadata: Retry-After is honoured") {
    const char* value = "4";
    Duration asked{};
    Duration least = 4s;
    Duration most = 10s;
    SECTION("in seconds") {}
    SECTION("as a date") {
        value = "Sat, 21 Nov 2026 20:00:04 GMT";
    }
    SECTION("an absurd one does not use up the deadline") {
        value = "99999999";
        least = 30s;
        most = 36s;
    }
    int calls = 0;
    FakeMetadata* service = nullptr;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path == "token" || calls > 1) return std::nullopt;
        if (++calls == 1) return FakeMetadata::status(503, "", {{"retry-after", value}});
        asked = service->clock.elapsed();
        return std::nullopt;
    });
    service = &fake;
    check_right(fake.read());
    CHECK(asked >= least - 10ms);
    CHECK(asked < most);
}

TEST_CASE(
    "metadata: an HTML page, a redirect or too much is no answer, and begins the count anew") {
    FakeMetadata::Answer spoilt = FakeMetadata::status(200, "<html>please sign in</html>");
    SECTION("HTML with 200") {}
    SECTION("redirect") {
        spoilt = FakeMetadata::status(302, "", {{"location", "http://x/"}});
    }
    SECTION("oversized") {
        spoilt = fail(Errc::too_large, "more than 65536 bytes");
    }
    SECTION("server error") {
        spoilt = FakeMetadata::status(500);
    }
    SECTION("binary") {
        spoilt = FakeMetadata::status(200, std::string("\0\xff\x01", 3));
    }
    const bool of_service = !spoilt;
    int readings = 0;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path == identity_path && ++readings == 3) return spoilt;
        return std::nullopt;
    });
    const auto metadata = fake.read();
    check_right(metadata);
    // No answer at all leaves the count; an answer that is none restarts it.
    CHECK(readings == (of_service ? 4 : 6));
    CHECK(fake.service.counters().retries == 1);
}

TEST_CASE("metadata: 404 for the identity is believed after a while, and means not known") {
    FakeMetadata fake;
    fake.tree.erase(identity_path);
    const auto metadata = fake.read();
    REQUIRE(metadata.identity.value);
    CHECK(metadata.identity.get() == nullptr);
    CHECK(metadata.identity.readings >= 3);
    CHECK(metadata.identity.last - metadata.identity.first >= 5);
    REQUIRE(metadata.mapping.get() != nullptr);
    CHECK(*metadata.mapping.get() == right);
}

TEST_CASE("metadata: a false 404 of two seconds costs time only") {
    FakeMetadata* service = nullptr;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path == identity_path && service->clock.elapsed() < 2s) {
            return FakeMetadata::status(404);
        }
        return std::nullopt;
    });
    service = &fake;
    const auto metadata = fake.read();
    check_right(metadata);
    CHECK(metadata.identity.disagreements == 1);
    CHECK(fake.service.counters().disagreements == 1);
}

TEST_CASE("metadata: an entry that vanishes between the list and its reading spoils that reading") {
    int vanish = 1;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path == mapping_path + "ephemeral0" && vanish-- > 0) return FakeMetadata::status(404);
        return std::nullopt;
    });
    const auto metadata = fake.read();
    check_right(metadata); // never the mapping without it
    CHECK(metadata.mapping.readings == 3);
    CHECK(fake.service.counters().failures.at("http 404") == 1);
}

TEST_CASE("metadata: a value that flips for ever is never confirmed") {
    unsigned count = 0;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path != mapping_path + "ephemeral0") return std::nullopt;
        return FakeMetadata::status(200, ++count % 2 == 0 ? "sdb" : "sdc");
    });
    SECTION("a reading each") {}
    SECTION("an empty one in between") {
        fake.rule = [&](const std::string& path) -> Reply {
            if (path != mapping_path + "ephemeral0") return std::nullopt;
            const char* flips[] = {"sdb", "", "sdc", ""};
            return FakeMetadata::status(200, flips[count++ % 4]);
        };
    }
    const auto metadata = fake.read(20s);
    CHECK(metadata.identity.value);
    REQUIRE_FALSE(metadata.mapping.value);
    CHECK(is_retryable(metadata.mapping.value.error().code));
    CHECK(fake.service.counters().disagreements >= 6);
    CHECK(fake.clock.elapsed() <= 20s);
    CHECK(fake.clock.elapsed() > 14s);
}

TEST_CASE("metadata: the deadline holds, also against a service that is slow at everything") {
    FakeMetadata fake({}, 1900ms);
    fake.tree[mapping_path] = "ami";
    for (int i = 0; i < 24; ++i) {
        fake.tree[mapping_path] += "\nephemeral" + std::to_string(i);
        fake.tree[mapping_path + "ephemeral" + std::to_string(i)] = "sdb";
    }
    const auto metadata = fake.read(20s);
    CHECK_FALSE(metadata.mapping.value);
    CHECK(fake.clock.elapsed() < 22s); // this fake answers after its latency, whatever the limit
    CHECK(fake.service.counters().requests == fake.http.requests.size());
}

TEST_CASE("metadata: nobody there: as many requests as the schedule gives, until the deadline") {
    FakeMetadata fake([](const std::string&) -> Reply { return fail(Errc::refused, "refused"); });
    const auto metadata = fake.read();
    REQUIRE_FALSE(metadata.identity.value);
    CHECK(metadata.identity.value.error().code == Errc::refused);
    CHECK(fake.clock.elapsed() <= 150s);
    CHECK(fake.clock.elapsed() > 140s);
    CHECK(fake.service.counters().requests < 200);
    CHECK(fake.service.counters().requests > 20);
}

TEST_CASE("metadata: a value that changed is believed when it has lasted") {
    int documents = 0;
    FakeMetadata fake([&](const std::string& path) -> Reply {
        if (path != identity_path || documents++ > 0) return std::nullopt;
        return FakeMetadata::status(200, R"({"instanceId": "i-0old", "imageId": "ami-1",
            "instanceType": "m3.large", "accountId": "123456789012", "region": "eu-west-1",
            "availabilityZone": "eu-west-1a"})");
    });
    const auto metadata = fake.read();
    check_right(metadata);
    REQUIRE(metadata.identity.seen.size() == 2);
    CHECK(metadata.identity.seen[0].instance_id == "i-0old");
    CHECK(metadata.identity.last >= 5);
    CHECK(metadata.mapping.last < 1); // nothing was wrong with that
}

TEST_CASE("metadata: what the kernel contradicts must last, and is told") {
    FakeMetadata fake;
    bool late = false;
    const auto read = [&] {
        return read_metadata(fake.service, fake.clock, {}, Deadline::in(fake.clock, 150s), 1,
                             [](std::string_view, Instant) {},
                             {.mapping = [&](const Mapping&) -> std::optional<std::string> {
                                 if (late && fake.clock.elapsed() > 1s) return std::nullopt;
                                 return "no such disk";
                             }});
    };
    SECTION("for ever") {
        const auto metadata = read();
        check_right(metadata);
        CHECK(metadata.mapping.contradiction == "no such disk");
        CHECK(metadata.mapping.last - metadata.mapping.first >= 5);
        CHECK(metadata.identity.last < 1);
    }
    SECTION("the kernel was only late") {
        late = true;
        const auto metadata = read();
        check_right(metadata);
        CHECK(metadata.mapping.contradiction.empty());
        CHECK(fake.clock.elapsed() < 6s);
    }
}

namespace {

/// The look after the first.
Metadata again(FakeMetadata& fake, const Metadata& first) {
    return read_metadata(
        fake.service, fake.clock, {}, Deadline::in(fake.clock, 22s), 2,
        [](std::string_view, Instant) {}, {},
        KnownMetadata{*first.identity.get(), *first.mapping.get()});
}

} // namespace

TEST_CASE("metadata: the second look asks once, and no answer says nothing against what is known") {
    FakeMetadata fake;
    const auto first = fake.read();
    check_right(first);
    const auto before = fake.http.requests.size();
    SECTION("as before") {
        const auto second = again(fake, first);
        check_right(second);
        CHECK(fake.http.requests.size() - before == 1 + 1 + 3);
    }
    Reply spoilt = FakeMetadata::status(200);
    SECTION("empty") {}
    SECTION("absent") {
        spoilt = FakeMetadata::status(404);
    }
    SECTION("an error") {
        spoilt = FakeMetadata::status(500);
    }
    SECTION("nobody there") {
        spoilt = fail(Errc::refused, "refused");
    }
    const auto start = fake.clock.elapsed();
    fake.rule = [&](const std::string&) { return spoilt; };
    check_right(again(fake, first));
    CHECK(fake.clock.elapsed() - start < 1s);
}

TEST_CASE("metadata: the second look finds another value, when that lasts") {
    FakeMetadata fake;
    const auto first = fake.read();
    const Duration looked = fake.clock.elapsed();
    fake.tree.erase(mapping_path + "ephemeral0");
    SECTION("it lasts") {
        fake.tree[mapping_path] = "ami\nroot";
        const auto second = again(fake, first);
        REQUIRE(second.mapping.get() != nullptr);
        CHECK_FALSE(second.mapping.get()->contains("ephemeral0"));
        CHECK(second.mapping.seen.size() == 2);
        CHECK(second.mapping.last >= 5);
        CHECK(*second.identity.get() == *first.identity.get());
    }
    SECTION("it was a lie") {
        fake.rule = [&](const std::string& path) -> Reply {
            if (fake.clock.elapsed() < looked + 3s) {
                if (path == mapping_path) return FakeMetadata::status(200, "ami\nroot");
                return std::nullopt;
            }
            if (path == mapping_path + "ephemeral0") return FakeMetadata::status(200, "sdb");
            return std::nullopt;
        };
        const auto second = again(fake, first);
        check_right(second);
        CHECK(second.mapping.disagreements == 1);
        CHECK(fake.clock.elapsed() - looked < 6s);
    }
    SECTION("it flips until the time is up") {
        int readings = 0;
        fake.rule = [&](const std::string& path) -> Reply {
            if (path != mapping_path) return std::nullopt;
            return FakeMetadata::status(200, ++readings % 2 == 0 ? "ami" : "root");
        };
        const auto second = again(fake, first);
        CHECK_FALSE(second.mapping.value);
        CHECK(second.mapping.seen.size() == 3);
    }
}
