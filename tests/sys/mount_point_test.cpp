// The walk to a mount point: whose links are followed.
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/sys/mount_point.h"
#include "tests/catch.h"

using namespace muster;
namespace fs = std::filesystem;

namespace {

constexpr uid_t another_user = 1000;

/// A folder of root's, with what a test puts there.
struct Way {
    Way() {
        std::string name = (fs::temp_directory_path() / "muster-way.XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        top = fs::canonical(name);
        fs::create_directories(top / "real/scratch");
    }
    ~Way() {
        ::umount2((top / "real/scratch").c_str(), MNT_DETACH);
        fs::remove_all(top);
    }
    Way(const Way&) = delete;
    Way& operator=(const Way&) = delete;

    [[nodiscard]] std::string leads_to(const std::string& below,
                                       IfMissing missing = IfMissing::leave) const {
        const auto found = find_folder((top / below).string(), missing);
        if (!found) return std::string(to_string(found.error().code));
        return fs::path(found->path).lexically_relative(top).string() +
               (found->folder ? "" : ", missing");
    }
    void link(const std::string& to, const std::string& name, uid_t owner = ::geteuid()) const {
        fs::create_symlink(to, top / name);
        if (owner != ::geteuid()) REQUIRE(::lchown((top / name).c_str(), owner, owner) == 0);
    }

    fs::path top;
};

} // namespace

TEST_CASE_METHOD(Way, "mount point: links of root's are followed") {
    CHECK(leads_to("real/scratch") == "real/scratch");
    CHECK(leads_to("real//./scratch/") == "real/scratch");
    link("real", "relative");
    CHECK(leads_to("relative/scratch") == "real/scratch");
    link((top / "real").string(), "absolute");
    CHECK(leads_to("absolute/scratch") == "real/scratch");
    link("../relative/scratch", "real/back");
    CHECK(leads_to("absolute/back") == "real/scratch"); // the last one, too
    link("loop", "loop");
    CHECK(leads_to("loop/scratch") == "conflict");
    std::ofstream(top / "file") << "x";
    CHECK(leads_to("file") == "conflict");
    CHECK(leads_to("file/scratch") == "conflict");
    CHECK(find_folder("scratch", IfMissing::leave).error().code == Errc::malformed);
    CHECK(find_folder("/", IfMissing::leave).error().code == Errc::malformed);
}

TEST_CASE_METHOD(Way, "mount point: what is missing is made only where that is asked for") {
    link("real", "link");
    CHECK(leads_to("link/new/scratch") == "real/new/scratch, missing");
    CHECK_FALSE(fs::exists(top / "real/new"));
    link("real/gone", "dangling");
    CHECK(leads_to("dangling/scratch") == "real/gone/scratch, missing");
    CHECK(leads_to("dangling/scratch", IfMissing::make) == "real/gone/scratch");
    CHECK(fs::is_directory(top / "real/gone/scratch"));
}

TEST_CASE_METHOD(Way, "mount point: a link that others can change is none to follow") {
    fs::create_directory(top / "shared");
    fs::permissions(top / "shared", fs::perms(0777));
    link("../real", "shared/link");
    CHECK(leads_to("shared/link/scratch") == "conflict");
    fs::permissions(top / "shared", fs::perms(01777));
    CHECK(leads_to("shared/link/scratch") == "real/scratch"); // sticky: of root's it stays
    fs::permissions(top / "shared", fs::perms(0775));
    CHECK(leads_to("shared/link/scratch") == "conflict");
    if (::geteuid() != 0) {
        WARN("not root: no other user's link");
        return;
    }
    link("real", "theirs", another_user);
    CHECK(leads_to("theirs/scratch") == "conflict");
    CHECK(leads_to("theirs", IfMissing::make) == "conflict");
    fs::create_directories(top / "home/scratch");
    REQUIRE(::chown((top / "home").c_str(), another_user, another_user) == 0);
    link("../real", "home/link");
    CHECK(leads_to("home/link/scratch") == "conflict");
    CHECK(leads_to("home/scratch") == "home/scratch"); // covers no more than what is theirs
}

TEST_CASE_METHOD(Way, "mount point: what begins there is told by the mount itself") {
    const auto at = [&](const std::string& below) {
        const auto found = find_folder((top / below).string(), IfMissing::leave);
        REQUIRE(found);
        const auto mounted = mounted_at(found->folder);
        REQUIRE(mounted);
        return *mounted ? (*mounted)->source : "";
    };
    CHECK(at("real/scratch").empty());
    const auto place = (top / "real/scratch").string();
    if (::mount("first", place.c_str(), "tmpfs", 0, "size=4k") != 0) {
        WARN("no mounting here");
        return;
    }
    CHECK(at("real/scratch") == "first");
    link("real", "link");
    CHECK(at("link/scratch") == "first");
    fs::create_directory(top / "real/scratch/within");
    CHECK(at("real/scratch/within").empty());
    REQUIRE(::mount("second", place.c_str(), "tmpfs", 0, "size=4k") == 0);
    CHECK(at("real/scratch") == "second");
    ::umount2(place.c_str(), MNT_DETACH);
    // One that another mount hides is not there.
    REQUIRE(::mount("over", (top / "real").c_str(), "tmpfs", 0, "size=64k") == 0);
    fs::create_directory(top / "real/scratch");
    CHECK(at("real/scratch").empty());
    ::umount2((top / "real").c_str(), MNT_DETACH);
}
