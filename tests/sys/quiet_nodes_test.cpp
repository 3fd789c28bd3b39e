#include "agent/sys/quiet_nodes.h"

#include <filesystem>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/sys/files.h"
#include "tests/catch.h"

using namespace muster;
namespace fs = std::filesystem;

namespace {

const std::vector<Disk> disks{{.name = "loop900", .major = 7, .minor = 900},
                              {.name = "loop901", .major = 7, .minor = 901}};

/// A folder that goes with the test.
class TempFolder {
  public:
    TempFolder() {
        std::string name = "/tmp/muster-nodes.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TempFolder() { fs::remove_all(path_); }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

struct stat status_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

} // namespace

TEST_CASE("quiet nodes: of the same devices, for root alone; then udev is told") {
    if (::geteuid() != 0) return; // only root makes nodes
    const TempFolder temp;
    const auto folder = temp.path() / "nodes";
    const auto numbers = temp.path() / "block";
    for (const char* number : {"7:900", "7:901", "7:902"}) {
        fs::create_directories(numbers / number);
        REQUIRE(Files().write((numbers / number / "uevent").string(), ""));
    }
    SECTION("in a new folder") {}
    SECTION("where a run that was killed has left some, of other disks") {
        REQUIRE(make_quiet_nodes(folder, {{.name = "loop900", .major = 7, .minor = 902}}));
    }
    REQUIRE(make_quiet_nodes(folder, disks));
    CHECK((status_of(folder).st_mode & 0777U) == 0700);
    for (const auto& disk : disks) {
        const auto status = status_of(folder / disk.name);
        CHECK(status.st_rdev == makedev(disk.major, disk.minor));
        CHECK(status.st_mode == (S_IFBLK | 0600));
    }
    REQUIRE(Files().write((folder / "no node").string(), "somebody's"));

    drop_quiet_nodes(folder, numbers);
    CHECK(Files().read((numbers / "7:900" / "uevent").string()).value() == "change");
    CHECK(Files().read((numbers / "7:901" / "uevent").string()).value() == "change");
    CHECK(Files().read((numbers / "7:902" / "uevent").string()).value().empty());
    CHECK(Files().list(folder.string()).value() == std::vector<std::string>{"no node"});

    fs::remove(folder / "no node");
    drop_quiet_nodes(folder, numbers);
    CHECK_FALSE(fs::exists(folder));
    drop_quiet_nodes(folder, numbers); // there were none: nothing happens
}

TEST_CASE("quiet nodes: a link in the folder's place is not followed") {
    const TempFolder temp;
    fs::create_directories(temp.path() / "elsewhere");
    fs::create_directory_symlink(temp.path() / "elsewhere", temp.path() / "nodes");
    const auto made = make_quiet_nodes(temp.path() / "nodes", disks);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::conflict);
    CHECK(fs::is_empty(temp.path() / "elsewhere"));
}
