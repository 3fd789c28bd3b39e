#include "agent/standing.h"
#include "agent/sys/files.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("standing: what each state of a boot means to those who wait") {
    using Answer = std::optional<bool>;
    struct Row {
        json status;
        Answer storage, ready;
    };
    const Answer not_yet;
    for (const auto& [status, storage, ready] : {
             Row{{{"outcome", "in-progress"}, {"storage_ready", false}}, not_yet, not_yet},
             Row{{{"outcome", "in-progress"}, {"storage_ready", true}}, true, not_yet},
             Row{{{"outcome", "ready"}, {"storage_ready", true}}, true, true},
             // A check of the owner's failed: the disks are there all the same.
             Row{{{"outcome", "failed"}, {"storage_ready", true}}, true, false},
             Row{{{"outcome", "failed"}, {"storage_ready", false}}, false, false},
             // Whoever only observes keeps nobody from starting.
             Row{{{"outcome", "failed"}, {"enforced", false}}, true, true},
             Row{{{"outcome", "in-progress"}, {"enforced", false}}, not_yet, not_yet},
             // What can't be understood may still become a verdict.
             Row{json(), not_yet, not_yet},
             Row{json::array({1}), not_yet, not_yet},
             Row{{{"outcome", 7}, {"storage_ready", "yes"}}, not_yet, not_yet},
         }) {
        INFO(status.dump());
        CHECK(is_reached(status, Milestone::storage) == storage);
        CHECK(is_reached(status, Milestone::ready) == ready);
    }
}

TEST_CASE("standing: what is kept while a run is under way") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    FakeClock clock;
    Standing standing(files);
    Record record;
    standing.keep(record, true, clock.now() + 300s);
    auto status = read_status(files);
    CHECK(status["outcome"] == "in-progress");
    CHECK(status["storage_ready"] == false);
    CHECK(status["verdict_by_uptime"] == 1300.0);
    CHECK(instance_of(status).id.empty());

    record.instance = {.id = "i-1", .type = "m5.large", .source = "metadata"};
    record.storage_ready = true;
    standing.keep(record, true, clock.now() + 300s);
    status = read_status(files);
    CHECK(status["storage_ready"] == true);
    CHECK(instance_of(status).id == "i-1");
    CHECK(instance_of(status).type == "m5.large");
    // It is written again only where it tells something new.
    REQUIRE(files.remove(status_file));
    standing.keep(record, true, clock.now() + 300s);
    CHECK_FALSE(files.exists(status_file));
    CHECK(instance_of(json::array()).id.empty());
    CHECK(instance_of({{"instance", {{"id", nullptr}}}}).id.empty());
}

TEST_CASE("standing: what could not be kept is kept at the next look") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    FakeClock clock;
    Standing standing(files);
    std::filesystem::create_directories(folder.path / "run/muster/status.json"); // in its way
    standing.keep({}, true, clock.now() + 300s);
    CHECK(read_status(files).is_null());
    std::filesystem::remove(folder.path / "run/muster/status.json");
    standing.keep({}, true, clock.now() + 300s);
    CHECK(read_status(files)["outcome"] == "in-progress");
}

TEST_CASE("standing: nobody waits for ever") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    FakeClock clock;
    // No run has begun within a minute.
    CHECK_FALSE(wait_for(Milestone::ready, files, clock));
    CHECK(clock.elapsed() >= 60s);
    CHECK(clock.elapsed() < 61s);

    Record record;
    const auto until = clock.now() + 300s;
    Standing(files).keep(record, true, until);
    // One that has begun has promised when it ends, and gets a minute more.
    CHECK_FALSE(wait_for(Milestone::ready, files, clock));
    CHECK(clock.now() >= until + 60s);
    CHECK(clock.now() < until + 61s);

    record.storage_ready = true;
    Standing(files).keep(record, true, until);
    const auto before = clock.now();
    CHECK(wait_for(Milestone::storage, files, clock));
    CHECK(clock.now() == before);
}
