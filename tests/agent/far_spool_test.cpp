#include <filesystem>
#include <fstream>

#include "agent/delivery/far_spool.h"
#include "agent/delivery/spool.h"
#include "tests/catch.h"
#include "tests/fakes/fake_clock.h"
#include "tests/pace.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A disk that neither takes nor gives anything.
class StuckIsolate : public Isolate {
  public:
    explicit StuckIsolate(Clock& clock) : clock_(clock) {}
    [[nodiscard]] Result<std::unique_ptr<IsolatedCall>> start(IsolatedFunction,
                                                              std::string_view) override {
        ++calls;
        return std::make_unique<Call>(clock_);
    }
    int calls = 0;

  private:
    struct Call : IsolatedCall {
        explicit Call(Clock& clock) : clock_(clock) {}
        [[nodiscard]] bool ready(Deadline) override { return false; }
        [[nodiscard]] Result<std::string> wait(Deadline deadline) override {
            clock_.sleep_until(deadline.at);
            return fail(Errc::stuck, "no answer");
        }
        Clock& clock_;
    };
    Clock& clock_;
};

/// The nursery is gone, or out of processes.
class NoIsolate : public Isolate {
  public:
    [[nodiscard]] Result<std::unique_ptr<IsolatedCall>> start(IsolatedFunction,
                                                              std::string_view) override {
        return fail(Errc::internal, "no process: Resource temporarily unavailable");
    }
};

/// In memory: the agent gives a disk five seconds, and one that others write to may need them.
struct FarSpoolFixture : TemporaryFolder {
    FarSpoolFixture() : TemporaryFolder("/dev/shm") {
        auto made = make_isolate(*clock);
        REQUIRE(made);
        isolate = std::move(*made);
    }

    static SpoolEntry entry(unsigned sequence, const std::string& sink = "s") {
        return {.name = Spool::name_of("b", sequence, sink),
                .sink = sink,
                .boot_id = "b",
                .sequence = sequence,
                .time = WallTime(std::chrono::seconds(1'000'000 + sequence)),
                .message = {.body = R"({"outcome":"ready","a":"\u0001\n"})", .key = "i/b"},
                .far = true};
    }
    [[nodiscard]] Deadline soon() const { return Deadline::in(*clock, testing::patience); }
    [[nodiscard]] std::vector<std::string> list(const std::string& folder) const {
        return files.list("/var/lib/muster/" + folder).value_or(std::vector<std::string>{});
    }

    Files files{path};
    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate;
};

} // namespace

TEST_CASE_METHOD(FarSpoolFixture,
                 "far spool: what is kept comes out, to the byte, until it is dropped") {
    FarSpool far(*isolate, *clock, files);
    CHECK(far.read()->entries.empty());
    far.begin_keep({entry(2, "a"), entry(2, "b")}, "name.json", R"({"outcome":"ready"})");
    CHECK(far.finish_keep(soon()));
    CHECK(list("spool") == std::vector<std::string>{"b-000002-a.json", "b-000002-b.json"});
    CHECK(files.read("/var/lib/muster/history/name.json") == "{\"outcome\":\"ready\"}\n");
    const auto content = far.read();
    REQUIRE(content);
    REQUIRE(content->entries.size() == 2);
    const auto& got = content->entries[0];
    const auto put = entry(2, "a");
    CHECK(got.name == put.name);
    CHECK(got.sink == "a");
    CHECK(got.boot_id == "b");
    CHECK(got.sequence == 2);
    CHECK(got.time == put.time);
    CHECK(got.message.body == put.message.body);
    CHECK(got.message.key == put.message.key);
    CHECK(got.far);
    CHECK(far.drop({"b-000002-a.json", "b-000009-none.json"}));
    CHECK(list("spool") == std::vector<std::string>{"b-000002-b.json"});
}

TEST_CASE_METHOD(FarSpoolFixture,
                 "far spool: the last ten reports are kept, and what a kill left is not") {
    FarSpool far(*isolate, *clock, files);
    for (unsigned i = 1; i <= 14; ++i) {
        const auto at = WallTime(std::chrono::seconds(1'000'000 + i));
        far.begin_keep({}, FarSpool::history_name(at, "b", i), "{}");
        REQUIRE(far.finish_keep(soon()));
    }
    for (const char* folder : {"history", "spool"}) {
        fs::create_directories(path / "var/lib/muster" / folder);
        std::ofstream(path / "var/lib/muster" / folder / ".half.json.x") << "{";
    }
    // The clock of a first boot is often wrong: the newest stays even where it seems the oldest.
    far.begin_keep({}, FarSpool::history_name(WallTime{}, "b", 15), "{}");
    REQUIRE(far.finish_keep(soon()));
    CHECK(list("spool").empty());
    const auto kept = list("history");
    REQUIRE(kept.size() == max_history);
    CHECK(kept.front() == "1970-01-01T00:00:00.000Z-b-000015.json");
    CHECK(kept[1] == "1970-01-12T13:46:46.000Z-b-000006.json");
    CHECK(kept.back() == "1970-01-12T13:46:54.000Z-b-000014.json");
}

TEST_CASE_METHOD(FarSpoolFixture, "far spool: an entry that is in both places is one") {
    FarSpool far(*isolate, *clock, files);
    const Spool spool(files, &far);
    REQUIRE(spool.put(entry(2)));
    far.begin_keep({entry(2)}, "h.json", "{}");
    REQUIRE(far.finish_keep(soon()));
    far.begin_keep({entry(1)}, "h.json", "{}"); // of before a reboot
    REQUIRE(far.finish_keep(soon()));
    const auto content = spool.read();
    REQUIRE(content.entries.size() == 2);
    CHECK(content.entries[0].sequence == 1);
    CHECK(content.entries[0].far);
    CHECK(content.entries[1].far);
    for (const auto& each : content.entries) {
        CHECK(spool.still_has(each));
        spool.drop(each);
        CHECK_FALSE(spool.still_has(each)); // also for somebody who has read it before
    }
    CHECK(spool.read().entries.empty());
    CHECK(list("spool").empty());
}

TEST_CASE_METHOD(FarSpoolFixture,
                 "far spool: delivered while the root is stuck, it is not sent again") {
    FarSpool far(*isolate, *clock, files);
    far.begin_keep({entry(1)}, "h.json", "{}");
    REQUIRE(far.finish_keep(soon()));
    FakeClock fake;
    StuckIsolate stuck(fake);
    FarSpool hanging(stuck, fake, files);
    Spool(files, &hanging).drop(entry(1));
    CHECK(list("spool").size() == 1); // it could not be removed
    CHECK(Spool(files, &far).read().entries.empty());
    CHECK_FALSE(Spool(files, &far).still_has(entry(1)));
}

TEST_CASE_METHOD(FarSpoolFixture,
                 "far spool: a stuck root costs five seconds once, and loses nothing near") {
    FakeClock fake;
    StuckIsolate stuck(fake);
    FarSpool far(stuck, fake, files);
    const Spool spool(files, &far);
    REQUIRE(spool.put(entry(3)));
    const auto content = spool.read();
    CHECK(content.entries.size() == 1);
    REQUIRE(content.unread.size() == 1);
    CHECK(content.unread[0].code == Errc::stuck);
    CHECK(fake.elapsed() == 5s);
    CHECK(spool.read().entries.size() == 1);
    far.begin_keep({entry(4)}, "h.json", "{}");
    CHECK_FALSE(far.finish_keep(Deadline::in(fake, 10s)));
    CHECK(fake.elapsed() == 5s);
    CHECK(stuck.calls == 1); // no more helpers that would hang, too
    fake.advance(1min);
    CHECK_FALSE(far.read());
    CHECK(stuck.calls == 2);
}

TEST_CASE_METHOD(FarSpoolFixture, "far spool: a disk that takes nothing loses nothing else") {
    fs::create_directories(path / "var/lib");
    std::ofstream(path / "var/lib/muster") << "in its place";
    FarSpool far(*isolate, *clock, files);
    const Spool spool(files, &far);
    REQUIRE(spool.put(entry(2)));
    far.begin_keep({entry(2)}, "h.json", "{}");
    CHECK_FALSE(far.finish_keep(soon()));
    const auto content = spool.read();
    CHECK(content.entries.size() == 1);
    spool.drop(entry(2));
    CHECK(spool.read().entries.empty());
}

TEST_CASE_METHOD(FarSpoolFixture, "far spool: a corrupt entry is named, goes, and hides no other") {
    FarSpool far(*isolate, *clock, files);
    const Spool spool(files, &far);
    far.begin_keep({entry(2)}, "h.json", "{}");
    REQUIRE(far.finish_keep(soon()));
    std::ofstream(path / "var/lib/muster/spool/a.json") << "{ half an en\xff";
    const auto content = spool.read();
    CHECK(content.entries.size() == 1);
    CHECK(content.unusable.empty());
    CHECK(content.unusable_far == std::vector<std::string>{"a.json"});
    spool.drop_unusable(content);
    CHECK(list("spool") == std::vector<std::string>{"b-000002-s.json"});
}

TEST_CASE_METHOD(FarSpoolFixture,
                 "far spool: one that was near alone is kept far when it could not be sent") {
    FarSpool far(*isolate, *clock, files);
    const Spool spool(files, &far);
    auto near = entry(2);
    near.far = false;
    spool.keep_far(near);
    auto notice = entry(3);
    notice.far = false;
    notice.message.body = R"({"outcome":"notice"})";
    spool.keep_far(notice); // nobody asks for it after a reboot
    CHECK(list("spool") == std::vector<std::string>{"b-000002-s.json"});
    CHECK(list("history").empty());
}

TEST_CASE_METHOD(FarSpoolFixture, "far spool: why there is no helper is told") {
    NoIsolate none;
    FarSpool far(none, *clock, files);
    CHECK(far.finish_keep(soon()).error().message == "nothing is being kept");
    far.begin_keep({entry(1)}, "", "");
    for (const auto& result : {far.finish_keep(soon()), far.keep(entry(1)), far.drop({"x"})}) {
        REQUIRE_FALSE(result);
        CHECK(result.error().message.find("Resource temporarily") != std::string::npos);
    }
    CHECK_FALSE(far.read());
}
