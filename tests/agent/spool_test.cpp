#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>

#include "agent/delivery/spool.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace muster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct SpoolFixture : TemporaryFolder {
    static SpoolEntry entry(const std::string& boot, unsigned sequence, const std::string& sink,
                            int at) {
        return {.name = Spool::name_of(boot, sequence, sink),
                .sink = sink,
                .boot_id = boot,
                .sequence = sequence,
                .time = WallTime(std::chrono::seconds(1'000'000 + at)),
                .message = {.body = R"({"a":"\u0001"})",
                            .key = "i-1/" + boot + "/" + std::to_string(sequence)}};
    }
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories(path / "run/muster/spool");
        std::ofstream(path / "run/muster/spool" / name) << text;
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& found : Spool(files).read().entries)
            all.push_back(found.name);
        return all;
    }
    Files files{path};
};

} // namespace

TEST_CASE_METHOD(SpoolFixture, "spool: what is put in comes out, until it is dropped") {
    const Spool spool(files);
    CHECK(spool.read().entries.empty());
    const auto put = entry("b-1", 7, "scaler", 3);
    CHECK(put.name == "b-1-000007-scaler.json");
    REQUIRE(spool.put(put));
    struct stat status{};
    REQUIRE(::stat((path / "run/muster/spool" / put.name).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    const auto content = spool.read();
    REQUIRE(content.entries.size() == 1);
    const auto& got = content.entries.front();
    CHECK(got.name == put.name);
    CHECK(got.sink == put.sink);
    CHECK(got.boot_id == put.boot_id);
    CHECK(got.sequence == put.sequence);
    CHECK(got.time == put.time);
    CHECK(got.message.body == put.message.body); // to the byte
    CHECK(got.message.key == put.message.key);
    spool.drop(put);
    CHECK(spool.read().entries.empty());
    CHECK_NOTHROW(spool.drop(put)); // again
}

TEST_CASE_METHOD(SpoolFixture,
                 "spool: in the order of boot and sequence, whatever the wall clock did") {
    const Spool spool(files);
    REQUIRE(spool.put(entry("new", 1, "s", 500)));
    REQUIRE(spool.put(entry("old", 2, "s", 90)));
    REQUIRE(spool.put(entry("old", 10, "s", 80))); // the clock was set back in between
    REQUIRE(spool.put(entry("old", 9, "s", 100)));
    CHECK(names() == std::vector<std::string>{"old-000002-s.json", "old-000009-s.json",
                                              "old-000010-s.json", "new-000001-s.json"});
}

TEST_CASE_METHOD(SpoolFixture,
                 "spool: an entry that can't be understood is named, and hides no other") {
    const Spool spool(files);
    REQUIRE(spool.put(entry("b", 2, "s", 1)));
    write("a.json", "{ half an en");
    write("b.json", "[]");
    write("c.json", R"({"sink": "s", "boot_id": "b", "sequence": "many"})");
    write("d.json", "");
    write("e.json", std::string(300 << 10, ' '));
    write(".f.json.XXXXXX", "left behind by a kill");
    write("readme", "no entry");
    const auto content = spool.read();
    CHECK(content.entries.size() == 1);
    CHECK(content.unusable ==
          std::vector<std::string>{"a.json", "b.json", "c.json", "d.json", "e.json"});
    CHECK(content.unread.empty());
}

TEST_CASE_METHOD(SpoolFixture, "spool: what a kill has left goes when the next entry is kept") {
    const Spool spool(files);
    write(".f.json.XXXXXX", "left behind by a kill");
    REQUIRE(spool.put(entry("b", 2, "s", 1)));
    CHECK(files.list("/run/muster/spool") == std::vector<std::string>{"b-000002-s.json"});
}

TEST_CASE_METHOD(SpoolFixture,
                 "spool: what can't be read is not taken for nothing, and not dropped") {
    const Spool spool(files);
    REQUIRE(spool.put(entry("b", 2, "s", 1)));
    fs::create_directory(path / "run/muster/spool/folder.json"); // read() fails, as an I/O error
    auto content = spool.read();
    CHECK(content.entries.size() == 1);
    CHECK(content.unusable.empty());
    REQUIRE(content.unread.size() == 1);
    CHECK(content.unread[0].message.find("folder.json") != std::string::npos);

    fs::remove_all(path / "run/muster/spool");
    CHECK(spool.read().unread.empty()); // absent is empty
    fs::create_symlink("spool", path / "run/muster/spool");
    content = spool.read();
    CHECK(content.unread.size() == 1); // any other failure is not
}

TEST_CASE_METHOD(SpoolFixture, "spool: a full disk is an error") {
    fs::create_directories(path / "run/muster");
    std::ofstream(path / "run/muster/spool") << "in its place";
    CHECK_FALSE(Spool(files).put(entry("b", 1, "s", 1)));
}

TEST_CASE_METHOD(SpoolFixture, "spool: the sequence grows from run to run") {
    for (unsigned expected = 1; expected <= 12; ++expected)
        CHECK(next_sequence(files) == expected);
    CHECK(files.read_value("/run/muster/sequence") == "12");
}

TEST_CASE("spool: two that ask at once get no number twice") {
    const TemporaryFolder folder("/dev/shm"); // a tmpfs, as /run is
    const Files files(folder.path);
    fs::create_directories(folder.path / "run/muster");
    const auto clock = make_system_clock();
    constexpr std::size_t each = 100;
    std::array<std::vector<unsigned>, 3> numbers;
    std::vector<std::unique_ptr<Job>> jobs;
    for (auto& mine : numbers) {
        jobs.push_back(clock->start("numbers", [&] {
            for (std::size_t i = 0; i < each; ++i)
                mine.push_back(next_sequence(files));
        }));
    }
    for (auto& job : jobs)
        clock->wait(*job);
    std::set<unsigned> all;
    for (const auto& mine : numbers)
        all.insert(mine.begin(), mine.end());
    CHECK(all.size() == numbers.size() * each);
}

TEST_CASE_METHOD(SpoolFixture, "spool: a number is to be had even where its lock is not") {
    fs::create_directories(path / "run/muster/sequence.lock");
    CHECK(next_sequence(files) == 1);
    CHECK(next_sequence(files) == 2);
}

TEST_CASE_METHOD(SpoolFixture, "spool: bounded; verdicts of this boot go last, the oldest first") {
    const auto put = [&](const SpoolFolder& folder, const std::string& boot, unsigned sequence,
                         int at, const char* outcome) {
        auto one = entry(boot, sequence, "s", at);
        one.message.body = std::string(R"({"outcome":")") + outcome + R"("})";
        const auto gone = folder.put(one);
        REQUIRE(gone);
        return gone->empty() ? "" : gone->front();
    };
    const SpoolFolder folder(files, "/run/muster/spool/", {.entries = 4, .bytes = 1 << 20});
    CHECK(put(folder, "old", 1, 1, "failed").empty());
    CHECK(put(folder, "new", 1, 2, "ready").empty());
    CHECK(put(folder, "new", 2, 3, "notice").empty());
    CHECK(put(folder, "new", 3, 4, "degraded").empty());
    CHECK(put(folder, "new", 4, 5, "failed") == "new-000002-s.json"); // no verdict, the oldest
    CHECK(put(folder, "new", 5, 6, "failed") == "new-000003-s.json");
    CHECK(put(folder, "new", 6, 7, "failed") == "old-000001-s.json");
    CHECK(put(folder, "new", 7, 8, "failed") == "new-000001-s.json");
    CHECK(put(folder, "new", 7, 8, "failed").empty()); // in its own place
    CHECK(folder.read().entries.size() == 4);

    const SpoolFolder small(files, "/run/muster/small/", {.entries = 100, .bytes = 1000});
    for (unsigned i = 1; i <= 30; ++i)
        (void)put(small, "b", i, static_cast<int>(i), "ready");
    std::size_t bytes = 0;
    for (const auto& file : fs::directory_iterator(path / "run/muster/small"))
        bytes += file.file_size();
    CHECK(bytes <= 1000);
    CHECK(small.has("b-000030-s.json"));
    CHECK_FALSE(small.has("b-000001-s.json"));
}

TEST_CASE_METHOD(SpoolFixture, "spool: one that is in memory alone is still there") {
    fs::create_directories(path / "run/muster");
    std::ofstream(path / "run/muster/spool") << "in its place";
    const Spool spool(files);
    auto one = entry("b", 1, "s", 1);
    CHECK_FALSE(spool.still_has(one));
    spool.keep(one);
    CHECK(spool.still_has(one));
}

TEST_CASE_METHOD(SpoolFixture, "spool: one at a time sends to a sink") {
    fs::create_directories(path / "run/muster");
    const Spool spool(files);
    auto first = spool.lock("scaler");
    REQUIRE(first);
    CHECK(spool.lock("scaler").error().code == Errc::conflict);
    CHECK(spool.lock("other"));
    first = fail(Errc::absent, "given back");
    CHECK(spool.lock("scaler"));
}
