#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lvm/tool.h"
#include "tests/catch.h"
#include "tests/probes/fake_sysfs.h"

using namespace muster;
using namespace muster::lvm;

namespace {

const std::vector<std::string> two{"/dev/nvme1n1", "/dev/nvme2n1"};
const LvmTool tool{.path = "/sbin/lvm"};
const LvmTool old{.path = "/sbin/lvm", .old = true};
const VolumeLayout xfs{.name = "scratch"};
const VolumeLayout ext4{.name = "scratch", .stripe_size = 64 << 10, .filesystem = Filesystem::ext4};
const VolumeLayout wide{.name = "a-name-of-seventeen", .stripe_size = 512 << 10};

std::string line(const Command& command) {
    auto text = fmt::format("{}", fmt::join(command.argv, " "));
    // Of a report nothing but the report is parsed.
    std::vector<std::string> environment;
    if (command.argv[0] == "/sbin/lvm") environment.emplace_back("LVM_SYSTEM_DIR=");
    if (command.argv[1] == "fullreport") environment.emplace_back("LVM_OUT_FD=2");
    CHECK(command.environment == environment);
    const std::string config = "--config backup{backup=0 archive=0} log{prefix=\"\" "
                               "command_names=0} global{use_lvmpolld=0 wait_for_locks=0} "
                               "devices{hints=\"none\"}";
    if (const auto at = text.find(config); at != std::string::npos) {
        text.replace(at, config.size(), "C");
    }
    return text;
}

} // namespace

TEST_CASE("tool: every command, word for word") {
    struct Row {
        Command command;
        const char* line;
        bool writes;
    };
    const std::vector<std::string> tags{"muster", instance_tag("i-0abc")};
    const Row table[] = {
        {read_report(tool, two),
         "/sbin/lvm fullreport --config backup{backup=0 archive=0} log{prefix=\"\" "
         "command_names=0} global{use_lvmpolld=0 wait_for_locks=0 metadata_read_only=1} "
         "devices{hints=\"none\"} --devices /dev/nvme1n1,/dev/nvme2n1 --reportformat json --units "
         "b "
         "--nosuffix --configreport vg -o "
         "vg_name,vg_uuid,vg_tags,vg_extent_size,vg_free_count,vg_exported --configreport pv -o "
         "pv_name,pv_uuid,pv_major,pv_minor,pv_missing,pv_in_use,pv_pe_count,"
         "pv_pe_alloc_count --configreport lv -o "
         "lv_name,lv_uuid,lv_size,lv_active,lv_tags --configreport pvseg -o pvseg_start "
         "--configreport seg "
         "-o lv_name,stripes",
         false},
        {create_group(tool, "muster", two, tags),
         "/sbin/lvm vgcreate C --devices /dev/nvme1n1,/dev/nvme2n1 --setautoactivation n --addtag "
         "muster --addtag muster.instance=i-0abc -- muster /dev/nvme1n1 /dev/nvme2n1",
         true},
        {create_volume(tool, "muster", two, xfs, "100%FREE", 2),
         "/sbin/lvm lvcreate C --devices /dev/nvme1n1,/dev/nvme2n1 --yes --wipesignatures y --zero "
         "y --addtag muster.filesystem=xfs --addtag muster.unfinished --name scratch --extents "
         "100%FREE --stripes 2 "
         "--stripesize 256k -- muster",
         true},
        {create_volume(tool, "muster", two, xfs, "1073741824b", 1),
         "/sbin/lvm lvcreate C --devices /dev/nvme1n1,/dev/nvme2n1 --yes --wipesignatures y --zero "
         "y --addtag muster.filesystem=xfs --addtag muster.unfinished --name scratch --size "
         "1073741824b -- muster",
         true},
        {remove_labels(tool, two),
         "/sbin/lvm pvremove C --devices /dev/nvme1n1,/dev/nvme2n1 -- /dev/nvme1n1 /dev/nvme2n1",
         true},
        {remove_volume(tool, "muster", two, "scratch"),
         "/sbin/lvm lvremove C --devices /dev/nvme1n1,/dev/nvme2n1 --yes -- muster/scratch", true},
        {finish_volumes(tool, "muster", two, {"scratch", "logs"}),
         "/sbin/lvm lvchange C --devices /dev/nvme1n1,/dev/nvme2n1 --deltag muster.unfinished -- "
         "muster/scratch muster/logs",
         true},
        {mark_group(tool, "theirs", two, wipe_tag("i-0abc")),
         "/sbin/lvm vgchange C --devices /dev/nvme1n1,/dev/nvme2n1 --addtag muster.wipe=i-0abc -- "
         "theirs",
         true},
        {activate_volumes(tool, "muster", two, {"scratch", "logs"}),
         "/sbin/lvm lvchange C --devices /dev/nvme1n1,/dev/nvme2n1 --activate y -- muster/scratch "
         "muster/logs",
         false},
        {make_filesystem("/sbin/mkfs.xfs", xfs, "/dev/dm-0", 2),
         "/sbin/mkfs.xfs -q -K -L scratch -d su=256k,sw=2 -l su=4k /dev/dm-0", true},
        {make_filesystem("/sbin/mkfs.xfs", xfs, "/dev/dm-0", 1),
         "/sbin/mkfs.xfs -q -K -L scratch /dev/dm-0", true},
        {make_filesystem("/sbin/mkfs.xfs", wide, "/dev/dm-0", 3),
         "/sbin/mkfs.xfs -q -K -L a-name-of-se -d su=512k,sw=3 -l su=4k /dev/dm-0", true},
        {make_filesystem("/sbin/mkfs.ext4", ext4, "/dev/dm-0", 4),
         "/sbin/mkfs.ext4 -q -L scratch -b 4096 -E "
         "nodiscard,lazy_itable_init=1,stride=16,stripe_width=64 /dev/dm-0",
         true},
    };
    for (const auto& row : table) {
        CHECK(line(row.command) == row.line);
        CHECK(row.command.writes_disks == row.writes);
    }
}

TEST_CASE("tool: nodes of our own, in a folder that only this command scans") {
    const LvmTool quiet{.path = "/sbin/lvm", .nodes = "/dev/.muster"};
    const std::vector<std::string> devices{"/dev/nvme1n1", "/dev/nvme2n1"};
    const auto made = to_string(create_group(quiet, "muster", devices, {}));
    CHECK_THAT(made, Catch::Contains(R"(devices{hints="none" scan=["/dev/.muster"] )"
                                     R"(obtain_device_list_from_udev=0})"));
    CHECK_THAT(made, Catch::Contains(" --devices /dev/.muster/nvme1n1,/dev/.muster/nvme2n1 "));
    CHECK_THAT(made, Catch::EndsWith(" -- muster /dev/.muster/nvme1n1 /dev/.muster/nvme2n1"));
    const VolumeLayout volume{.name = "scratch"};
    CHECK_THAT(to_string(create_volume(quiet, "muster", devices, volume, "100%FREE", 2)),
               Catch::Contains(" --devices /dev/.muster/nvme1n1,/dev/.muster/nvme2n1 "));
}

TEST_CASE("tool: an LVM before 2.03.12: a filter for --devices, a flag for --setautoactivation") {
    const std::string config =
        R"(backup{backup=0 archive=0} log{prefix="" command_names=0} )"
        R"(global{use_lvmpolld=0 wait_for_locks=0 use_lvmetad=0} )"
        R"(devices{filter=["a|^/dev/nvme1n1$|","a|^/dev/nvme2n1$|","r|.*|"] )"
        R"(global_filter=["a|^/dev/nvme1n1$|","a|^/dev/nvme2n1$|","r|.*|"]})";
    const std::string start = "/sbin/lvm ";
    CHECK(line(create_group(old, "muster", two, {"muster"})) ==
          start + "vgcreate --config " + config +
              " --addtag muster -- muster /dev/nvme1n1 /dev/nvme2n1");
    CHECK(line(create_volume(old, "muster", two, xfs, "100%FREE", 1)) ==
          start + "lvcreate --config " + config +
              " --yes --wipesignatures y --zero y --addtag muster.filesystem=xfs "
              "--addtag muster.unfinished --name scratch --setactivationskip y "
              "--ignoreactivationskip --extents 100%FREE -- muster");
    CHECK(line(activate_volumes(old, "muster", two, {"scratch"})) ==
          start + "lvchange --config " + config +
              " --activate y --ignoreactivationskip -- muster/scratch");
    CHECK(line(remove_group(old, "muster", two)) ==
          start + "vgremove --config " + config + " --yes -- muster");
}

TEST_CASE("tool: which LVM it is") {
    CHECK(line(ask_version(tool)) == "/sbin/lvm version");
    for (const auto& [version, is_old] : std::initializer_list<std::pair<const char*, bool>>{
             {"  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185\n", false},
             {"  LVM version:     2.03.11(2) (2021-01-08)\n", true},
             {"  LVM version:     2.02.187(2) (2020-03-24)\n", true},
             {"  LVM version:     2.03.12-git(2)\n", false},
             {"LVM version:3.0.0", false}}) {
        CAPTURE(version);
        REQUIRE(is_old_lvm(version));
        CHECK(*is_old_lvm(version) == is_old);
    }
    for (const char* version :
         {"", "LVM version:", "  LVM version: new\n", "Library version: 1.2.3"})
        CHECK(is_old_lvm(version).error().code == Errc::malformed);
    CHECK(is_locked_out({5, "",
                         "  /run/lock/lvm/V_muster: flock failed: Resource temporarily "
                         "unavailable\n  Can't get lock for muster.\n"}));
    CHECK(is_locked_out(
        {5, "", "  /run/lock/lvm/P_global: flock failed: Resource temporarily unavailable\n"}));
    CHECK_FALSE(is_locked_out({5, "", "  Volume group \"muster\" not found\n"}));
}

TEST_CASE("tool: what no command may have") {
    const auto has = [](const Command& command, const std::string& word) {
        return std::ranges::find(command.argv, word) != command.argv.end();
    };
    const auto group = create_group(tool, "muster", two, {"muster"});
    for (const char* word : {"--yes", "-y", "--force", "-f", "-ff"})
        CHECK_FALSE(has(group, word));
    for (const auto& command :
         {group, read_report(tool, two), activate_volumes(tool, "muster", two, {"scratch"}),
          create_volume(tool, "muster", two, xfs, "100%FREE", 2)}) {
        CHECK(has(command, "--devices"));
        CHECK(has(command, "/dev/nvme1n1,/dev/nvme2n1"));
        CHECK_FALSE(has(command, "--force"));
    }
    for (const unsigned stripes : {1U, 2U, 24U}) {
        CHECK_FALSE(has(make_filesystem("mkfs.xfs", xfs, "/dev/dm-0", stripes), "-f"));
        CHECK(has(make_filesystem("mkfs.xfs", xfs, "/dev/dm-0", stripes), "-K"));
        const auto made = make_filesystem("mkfs.ext4", ext4, "/dev/dm-0", stripes);
        CHECK_FALSE(has(made, "-F"));
        CHECK(std::ranges::any_of(made.argv,
                                  [](const auto& word) { return word.starts_with("nodiscard"); }));
    }
}

TEST_CASE("tool: found where distributions put it, never through PATH") {
    FakeSysfs root;
    CHECK(find_tool(root.files(), "lvm") == std::nullopt);
    root.put("/usr/local/sbin/lvm", "");
    CHECK(find_tool(root.files(), "lvm") == std::nullopt);
    root.put("/bin/lvm", "");
    CHECK(find_tool(root.files(), "lvm") == "/bin/lvm");
    root.put("/sbin/lvm", "");
    root.put("/usr/sbin/lvm", "");
    CHECK(find_tool(root.files(), "lvm") == "/usr/sbin/lvm");
}

TEST_CASE("tool: names") {
    CHECK(mapper_name("muster", "scratch") == "muster-scratch");
    CHECK(mapper_name("muster-x", "my-data") == "muster--x-my--data");
    CHECK(mkfs_name(Filesystem::ext4) == "mkfs.ext4");
    CHECK(to_string(Filesystem::xfs) == "xfs");
    CHECK(to_string(Filesystem::none) == "none");
    CHECK(instance_tag("i-0abc") == "muster.instance=i-0abc");
}
