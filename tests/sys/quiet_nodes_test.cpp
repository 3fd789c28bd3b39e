#include <filesystem>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/sys/files.h"
#include "agent/sys/quiet_nodes.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace muster;
namespace fs = std::filesystem;

namespace {

// The usual nodes of these carry no label.
const std::vector<Disk> disks{{.name = "loop900", .node = "/dev/null", .major = 7, .minor = 900},
                              {.name = "loop901", .node = "/dev/null", .major = 7, .minor = 901}};

struct stat status_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

} // namespace

TEST_CASE("quiet nodes: of the same devices, for root alone; then udev is told") {
    if (::geteuid() != 0) {
        WARN("not tried: only root makes nodes");
        return;
    }
    const TemporaryFolder temp;
    const auto folder = temp.path / "nodes";
    const auto numbers = temp.path / "block";
    for (const char* number : {"7:900", "7:901", "7:902"}) {
        fs::create_directories(numbers / number);
        REQUIRE(Files().write((numbers / number / "uevent").string(), ""));
    }
    SECTION("in a new folder") {}
    SECTION("where a run that was killed has left some, of other disks") {
        REQUIRE(make_quiet_nodes(
            folder, {{.name = "loop900", .node = "/dev/null", .major = 7, .minor = 902}}));
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

TEST_CASE("quiet nodes: the label of the usual node") {
    if (::geteuid() != 0) {
        WARN("not tried: only root makes nodes");
        return;
    }
    const TemporaryFolder temp;
    const std::string label = "system_u:object_r:fixed_disk_device_t:s0";
    const auto usual = (temp.path / "loop900").string();
    REQUIRE(Files().write(usual, ""));
    if (::setxattr(usual.c_str(), "security.selinux", label.data(), label.size(), 0) != 0) {
        WARN("not tried: no such labels on this filesystem");
        return;
    }
    auto disk = disks.front();
    disk.node = usual;
    REQUIRE(make_quiet_nodes(temp.path / "nodes", {disk}));
    std::string found(256, '\0');
    const auto node = (temp.path / "nodes" / "loop900").string();
    const auto size = ::lgetxattr(node.c_str(), "security.selinux", found.data(), found.size());
    REQUIRE(size > 0);
    CHECK(found.substr(0, static_cast<std::size_t>(size)) == label);

    // The usual one is gone: whether it has a label can't be told, so nothing is made.
    fs::remove(usual);
    CHECK_FALSE(make_quiet_nodes(temp.path / "nodes", {disk}));
}

TEST_CASE("quiet nodes: a link in the folder's place is not followed") {
    const TemporaryFolder temp;
    fs::create_directories(temp.path / "elsewhere");
    fs::create_directory_symlink(temp.path / "elsewhere", temp.path / "nodes");
    const auto made = make_quiet_nodes(temp.path / "nodes", disks);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::conflict);
    CHECK(fs::is_empty(temp.path / "elsewhere"));
}
