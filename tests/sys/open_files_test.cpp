#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"
#include "agent/sys/open_files.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace muster;
namespace fs = std::filesystem;

namespace {

/// Nodes of devices that are not there, and a /proc of two processes.
struct Proc {
    Proc() {
        node("disk", 900);
        node("other", 901);
        fs::create_directories(temp.path / "proc/self");
        process(42, "dd");
        process(43, "sleep\x1b");
    }
    void node(const char* name, unsigned minor) const {
        REQUIRE(::mknod((temp.path / name).c_str(), S_IFBLK | 0600, makedev(7, minor)) == 0);
    }
    void process(int pid, const std::string& name) const {
        const auto folder = temp.path / "proc" / std::to_string(pid);
        fs::create_directories(folder / "fd");
        REQUIRE(Files().write((folder / "comm").string(), name + "\n"));
    }
    void open(int pid, int descriptor, const std::string& target) const {
        fs::create_symlink(target, temp.path / "proc" / std::to_string(pid) / "fd" /
                                       std::to_string(descriptor));
    }
    [[nodiscard]] Openers find(bool only_dev = false) const {
        auto found = find_openers((temp.path / "proc").string(), {{7, 900}}, only_dev);
        REQUIRE(found);
        return std::move(*found);
    }
    TemporaryFolder temp;
};

bool may_make_nodes() {
    if (::geteuid() == 0) return true;
    WARN("not tried: only root makes nodes");
    return false;
}

} // namespace

TEST_CASE("open files: which process has a disk open, by whatever name; once each") {
    if (!may_make_nodes()) return;
    const Proc proc;
    proc.open(42, 3, proc.temp.path / "other");
    proc.open(42, 4, "socket:[17]");
    proc.open(42, 5, "/nothing/there");
    CHECK(proc.find().found.empty());
    proc.open(42, 6, proc.temp.path / "disk");
    proc.open(42, 7, proc.temp.path / "disk");
    proc.open(43, 0, proc.temp.path / "disk");
    auto found = proc.find().found;
    std::ranges::sort(found, {}, &Opener::pid);
    REQUIRE(found.size() == 2);
    CHECK(found[0] == Opener{{7, 900}, 42, "dd", found[0].writes});
    CHECK(found[1].program == "sleep?");
    CHECK(proc.find().unseen == 0);
}

TEST_CASE("open files: where a filesystem hangs, nodes in /dev alone") {
    if (!may_make_nodes()) return;
    const Proc proc;
    proc.open(42, 6, proc.temp.path / "disk");
    CHECK(proc.find(true).found.empty());
    CHECK(proc.find(true).only_dev);
}

TEST_CASE("open files: no more than eight of a device are told") {
    if (!may_make_nodes()) return;
    const Proc proc;
    for (int pid = 100; pid < 120; ++pid) {
        proc.process(pid, "dd");
        proc.open(pid, 3, proc.temp.path / "disk");
    }
    CHECK(proc.find().found.size() == 8);
}

TEST_CASE("open files: many readers hide no writer, and no other device") {
    std::vector<Opener> found;
    for (int pid = 100; pid < 120; ++pid) {
        for (unsigned minor = 0; minor < 24; ++minor)
            keep_opener(found, {.device = {259, minor}, .pid = pid});
    }
    CHECK(found.size() == 24UL * 8);
    keep_opener(found, {.device = {259, 30}, .pid = 1});
    CHECK(found.back().device == DeviceNumber{259, 30});
    keep_opener(found, {.device = {259, 7}, .pid = 2, .writes = true});
    const auto writer = std::ranges::find(found, true, &Opener::writes);
    REQUIRE(writer != found.end());
    CHECK(writer->device == DeviceNumber{259, 7});
    CHECK(found.size() == 24UL * 8 + 1);
}

TEST_CASE("open files: a process that can't be looked into is counted, one that has ended is not") {
    if (!may_make_nodes()) return;
    const Proc proc;
    fs::create_directories(proc.temp.path / "proc/44"); // it has no fd: it has ended
    CHECK(proc.find().unseen == 0);
    fs::create_directories(proc.temp.path / "proc/45");
    fs::create_symlink("fd", proc.temp.path / "proc/45/fd"); // ELOOP
    CHECK(proc.find().unseen == 1);
}

TEST_CASE("open files: the kernel's own /proc, and what a descriptor was opened for") {
    if (!may_make_nodes()) return;
    const Proc proc;
    const Fd fd(::open((proc.temp.path / "disk").c_str(), O_PATH | O_CLOEXEC));
    REQUIRE(fd);
    const auto found = find_openers("/proc", {{7, 900}}, false);
    REQUIRE(found);
    REQUIRE(found->found.size() == 1);
    CHECK(found->found[0].pid == ::getpid());
    CHECK(found->found[0].program == "test_sys");
    CHECK_FALSE(found->found[0].writes);
}

TEST_CASE("open files: no /proc is an error, never none") {
    CHECK_FALSE(find_openers("/nothing/there", {{7, 900}}, false));
}
