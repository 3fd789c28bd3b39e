// Reads and writes of a real kernel, and those that hang.
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tests/sys/disk_image.h"
#include "tests/sys/processes.h"

using namespace muster;
using namespace std::chrono_literals;
using testing::MiB;
namespace fs = std::filesystem;

namespace {

struct KernelFixture : testing::DiskImage {
    [[nodiscard]] Result<Duration> read_blocks(const std::string& node,
                                               const std::vector<std::uint64_t>& offsets,
                                               std::uint32_t length) const {
        return ended(kernel->start_read(node, offsets, length));
    }
    [[nodiscard]] Result<Duration> ended(Result<std::unique_ptr<PendingIo>> io) const {
        REQUIRE(io);
        CHECK((*io)->ended(patiently()));
        return (*io)->result();
    }
};

/// In memory, unmounted with its owner.
struct SmallFilesystem {
    explicit SmallFilesystem(const fs::path& at) : mnt(at) { fs::create_directory(mnt); }
    ~SmallFilesystem() { unmount(); }
    SmallFilesystem(const SmallFilesystem&) = delete;
    SmallFilesystem& operator=(const SmallFilesystem&) = delete;
    [[nodiscard]] bool mount(const char* options) const {
        unmount();
        return ::mount("none", mnt.c_str(), "tmpfs", 0, options) == 0;
    }
    void unmount() const { ::umount2(mnt.c_str(), MNT_DETACH); }

    fs::path mnt;
};

} // namespace

TEST_CASE_METHOD(KernelFixture, "content and reads: what is no disk is an error, never blank") {
    const auto soon = patiently();
    const auto code = [&](const std::string& node) {
        const auto content = kernel->content(node, soon);
        const auto read = read_blocks(node, {0}, 512);
        REQUIRE_FALSE(content);
        REQUIRE_FALSE(read);
        CHECK(content.error().code == read.error().code);
        return content.error().code;
    };
    CHECK(code("/dev/no-such-disk") == Errc::absent);
    CHECK(code("/dev/null") == Errc::malformed);
    CHECK(code("/tmp") == Errc::malformed);
    make_image(0);
    CHECK(code(image) == Errc::malformed);
    CHECK(kernel->content("/dev/no-such-disk", soon).error().message ==
          "looking for signatures on /dev/no-such-disk: can't open /dev/no-such-disk: No such file "
          "or directory");
}

TEST_CASE_METHOD(KernelFixture, "device nodes: a link is told as a link") {
    const auto in = fs::path(image).parent_path();
    const auto node = (in / "node").string();
    const auto link = (in / "link").string();
    fs::create_symlink("node", link);
    CHECK(kernel->device_node(node).error().code == Errc::absent);
    CHECK(kernel->device_node(link).error().code == Errc::absent);
    if (::mknod(node.c_str(), S_IFBLK | 0600, makedev(7, 900)) != 0) {
        WARN("not tried: only root makes nodes");
        return;
    }
    const DeviceNumber number{7, 900};
    CHECK(kernel->device_node(node) == DeviceNode{number, false});
    CHECK(kernel->device_node(link) == DeviceNode{number, true});
    CHECK(kernel->block_device(link) == number);
    fs::remove(link);
    fs::create_symlink("/dev/null", link);
    CHECK(kernel->device_node(link).error().code == Errc::malformed);
}

TEST_CASE_METHOD(KernelFixture, "reads: time, rounding, bounds") {
    CHECK(read_blocks(image, {0, MiB, 63 * MiB}, 4096).value() > 0s);
    CHECK(read_blocks(image, {64 * MiB}, 4096).error().code == Errc::malformed);
    CHECK(read_blocks(image, {0}, 0).error().code == Errc::malformed);
    CHECK(read_blocks(image, {0}, 17 << 20).error().code == Errc::malformed);
}

TEST_CASE_METHOD(KernelFixture, "a file written and read back: no trace of it stays") {
    const auto probe = path / "var";
    CHECK(ended(kernel->start_write(probe.string(), std::nullopt)).value() > 0s);
    CHECK(fs::is_directory(probe));
    CHECK(fs::is_empty(probe));
    // What somebody has put in its place is not written to.
    std::ofstream(path / "theirs") << "theirs";
    fs::create_symlink(path / "theirs", probe / ".muster-probe");
    CHECK(ended(kernel->start_write(probe.string(), std::nullopt)));
    CHECK(fs::file_size(path / "theirs") == 6);
    CHECK(fs::is_empty(probe));
    fs::create_directory_symlink(probe, path / "link");
    const auto code = [&](const std::string& where) {
        return ended(kernel->start_write(where, std::nullopt)).error().code;
    };
    CHECK(code(path / "link") == Errc::absent); // ENOTDIR: a link is followed nowhere
    CHECK(code(path / "none" / "none") == Errc::absent);
    CHECK(code(image) == Errc::absent);
}

TEST_CASE_METHOD(KernelFixture, "a file written and read back: only on the device that was meant") {
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    const DeviceNumber here{major(facts.st_dev), minor(facts.st_dev)};
    const DeviceNumber other{here.major, here.minor + 1};
    const auto write = [&](DeviceNumber on) {
        return ended(kernel->start_write(path.string(), on));
    };
    CHECK(write(here));
    std::ofstream(path / ".muster-probe") << "theirs";
    CHECK(write(other).error().code == Errc::conflict);
    CHECK(fs::file_size(path / ".muster-probe") == 6); // nothing was touched
}

TEST_CASE_METHOD(KernelFixture, "a file written and read back: full, out of inodes, read-only") {
    const SmallFilesystem small(path / "mnt");
    if (!small.mount("size=4k")) {
        WARN("no mounting here");
        return;
    }
    const auto code = [&] {
        const auto took = ended(kernel->start_write(small.mnt.string(), std::nullopt));
        return took ? Errc::internal : took.error().code;
    };
    std::ofstream(small.mnt / "all") << std::string(4096, 'x');
    CHECK(code() == Errc::full);
    CHECK(small.mount("nr_inodes=1"));
    CHECK(code() == Errc::full);
    CHECK(small.mount("ro"));
    CHECK(code() == Errc::read_only);
}

TEST_CASE_METHOD(KernelFixture,
                 "reads: one that has not ended is waited for as often as one likes") {
    const auto started = kernel->start_read(image, {0}, 4096);
    REQUIRE(started);
    const auto& io = *started;
    while (!io->ended(in(1ms))) {
    }
    CHECK(io->ended(Deadline{}));
    CHECK(io->result().value() > 0s);
    CHECK(kernel->log_page("/dev/null", 0xd0, 4096, patiently()).error().code == Errc::malformed);
    CHECK(kernel->log_page("/dev/null", 0xd0, 4095, patiently()).error().code == Errc::malformed);
}

TEST_CASE_METHOD(KernelFixture,
                 "reads: a device that hangs gets one reader, however often it is asked") {
    const std::vector<std::uint64_t> a_great_many(100'000, 0);
    const auto helpers = [] {
        return std::ranges::count(testing::family(), "muster-helper", &testing::Process::name);
    };
    {
        const auto given_up = kernel->start_read(image, a_great_many, MiB);
        REQUIRE(given_up);
        REQUIRE_FALSE((*given_up)->ended(in(100ms)));
    }
    for (int i = 0; i < 3; ++i) {
        const auto again = kernel->start_read(image, {0}, 4096);
        REQUIRE(again);
        CHECK_FALSE((*again)->ended(in(10ms)));
    }
    // Another kind, another place. Helpers are begun in order: this one after all of the readers.
    CHECK(ended(kernel->start_write((path / "var").string(), std::nullopt)));
    CHECK(testing::eventually("one reader is left", [&] { return helpers() == 1; }));
    kernel.reset();
    CHECK(testing::eventually("no helper is left", [&] { return helpers() == 0; }));
}

TEST_CASE_METHOD(KernelFixture, "questions that were answered hold no descriptors") {
    const auto descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = descriptors();
    std::string node = image;
    for (int i = 0; i < 30; ++i) {
        node.insert(0, "/."); // as many disks
        CHECK(kernel->content(node, patiently()));
    }
    CHECK(descriptors() <= before + 2); // those of the last one
}

TEST_CASE_METHOD(KernelFixture, "a question that hangs is not asked again until it is answered") {
    const int nursery = testing::family().at(0).pid;
    const auto ask = [&](Duration limit) { return kernel->content(image, in(limit)); };
    REQUIRE(::kill(nursery, SIGSTOP) == 0); // so nothing of it is even begun
    CHECK(ask(100ms).error().message.find("neither success nor failure") != std::string::npos);
    for (int i = 0; i < 3; ++i) {
        const auto again = ask(10ms);
        REQUIRE_FALSE(again);
        CHECK(again.error().code == Errc::stuck);
        CHECK(again.error().message.find("an earlier try still hangs") != std::string::npos);
    }
    REQUIRE(::kill(nursery, SIGCONT) == 0);
    CHECK(ask(10s)); // once the earlier one has ended
}
