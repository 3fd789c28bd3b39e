#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace muster;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

std::size_t entries(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

} // namespace

TEST_CASE("files: an absolute path stays below the root") {
    CHECK(Files("/tmp/r").real("/etc/muster.json") == "/tmp/r/etc/muster.json");
    CHECK(Files().real("/etc/muster.json") == "/etc/muster.json");
}

TEST_CASE("files: write, read, remove") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    const std::string content("a\0b\n", 4);
    REQUIRE(files.write("/run/muster/x.json", content));
    CHECK(files.read("/run/muster/x.json") == content);
    CHECK(mode_of(folder.path / "run/muster/x.json") == 0600);
    CHECK(mode_of(folder.path / "run/muster") == 0755);
    REQUIRE(files.write("/run/muster/x.json", "new"));
    CHECK(files.read("/run/muster/x.json") == "new");
    CHECK(entries(folder.path / "run/muster") == 1); // no temporary one is left
    CHECK(files.exists("/run/muster/x.json"));
    REQUIRE(files.remove("/run/muster/x.json"));
    CHECK_FALSE(files.exists("/run/muster/x.json"));
    CHECK(files.remove("/run/muster/x.json").error().code == Errc::absent);
}

TEST_CASE("files: writing replaces a link instead of following it") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    std::ofstream(folder.path / "victim") << "precious";
    fs::create_symlink(folder.path / "victim", folder.path / "x");
    REQUIRE(files.write("/x", "new"));
    CHECK(files.read("/victim") == "precious");
    CHECK(fs::is_regular_file(fs::symlink_status(folder.path / "x")));
}

TEST_CASE("files: a failed write leaves no temporary file") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    fs::create_directories(folder.path / "target/full");
    CHECK_FALSE(files.write("/target", "x")); // a folder stands where the file should be
    CHECK(entries(folder.path) == 1);
}

TEST_CASE("files: what a writer that was killed has left is removed, and nothing else") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    files.remove_abandoned("/none");
    for (const char* name : {".x.json.a1b2c3", ".written.q", "x.json"})
        std::ofstream(folder.path / name) << "{";
    fs::create_directory(folder.path / ".directory");
    fs::create_symlink(folder.path / "x.json", folder.path / ".link");
    const Fd writer(::open((folder.path / ".written.q").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(writer.get(), LOCK_EX | LOCK_NB) == 0);
    files.remove_abandoned("/");
    CHECK(files.list("/") ==
          std::vector<std::string>{".directory", ".link", ".written.q", "x.json"});
}

TEST_CASE("files: a file that is being written is never taken for abandoned") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    std::atomic<bool> over = false;
    std::thread cleaner([&] {
        while (!over)
            files.remove_abandoned("/");
    });
    int failed = 0;
    for (int i = 0; i < 200; ++i)
        failed += files.write("/x.json", "{}") ? 0 : 1;
    over = true;
    cleaner.join();
    CHECK(failed == 0);
}

TEST_CASE("files: limits and errors of reading") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    std::ofstream(folder.path / "ten") << "0123456789";
    CHECK(files.read("/ten", 10) == "0123456789");
    CHECK(files.read("/ten", 9).error().code == Errc::too_large);
    CHECK(files.read("/ten", 0).error().code == Errc::too_large);
    CHECK(files.read("/none").error().code == Errc::absent);
    CHECK(files.read("/ten/none").error().code == Errc::absent);
    CHECK(files.read("/").error().code == Errc::malformed); // a folder
    std::ofstream(folder.path / "big") << std::string(200'000, 'x');
    CHECK(files.read("/big").value().size() == 200'000);
}

TEST_CASE("files: a FIFO without a writer does not hang the reader") {
    const TemporaryFolder folder;
    REQUIRE(::mkfifo((folder.path / "fifo").c_str(), 0600) == 0);
    CHECK(Files(folder.path).read("/fifo") == "");
}

TEST_CASE("files: values, links and folders") {
    const TemporaryFolder folder;
    const Files files(folder.path);
    std::ofstream(folder.path / "model") << "Amazon EC2 NVMe Instance Storage        \n";
    std::ofstream(folder.path / "blank") << " \n";
    CHECK(files.read_value("/model") == "Amazon EC2 NVMe Instance Storage");
    CHECK(files.read_value("/blank") == "");
    CHECK(files.read_value("/none").error().code == Errc::absent);
    fs::create_symlink("../../devices/pci0000:00/nvme/nvme0", folder.path / "device");
    CHECK(files.link_name("/device") == "nvme0");
    CHECK(files.link_name("/model").error().code == Errc::malformed);
    CHECK(files.link_name("/none").error().code == Errc::absent);
    CHECK(files.list("/") == std::vector<std::string>{"blank", "device", "model"});
    CHECK(files.list("/none").error().code == Errc::absent);
    CHECK(files.list("/model").error().code == Errc::absent);
}

TEST_CASE("files: real kernel attributes read whole") {
    CHECK(Files().read_value("/proc/self/comm").has_value());
    CHECK(Files().read("/proc/self/mountinfo").value().find(" / ") != std::string::npos);
}
