#include <cstdlib>

#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;
using Strings = std::vector<std::string>;

namespace {

std::vector<GroupLayout> layouts() {
    return {{.volumes = {VolumeLayout{.name = "scratch"}}},
            {.volume_group = "data",
             .volumes = {{.name = "logs",
                          .size = Percent{30},
                          .layout = Layout::linear,
                          .filesystem = Filesystem::ext4,
                          .mount = "/logs"},
                         {.name = "raw",
                          .size = std::uint64_t{64} << 20,
                          .filesystem = Filesystem::none,
                          .mount = ""},
                         {.name = "rest", .mount = "/rest"}}}};
}

bool changes(const std::string& call) {
    return call == "vgremove" || call == "/usr/sbin/blkdiscard" || call == "vgcreate" ||
           call == "lvcreate" || call.starts_with("/usr/sbin/mkfs") || call.starts_with("mount ");
}

/// What must come of it when this call goes wrong so; "" where the job can go on.
std::string reason_for(const std::string& call, Fault fault) {
    // Without them udev is asked more often; nodes that are not there are disks that are not.
    if (call == "make_quiet_nodes") return fault == Fault::lie ? "assembly-failed" : "";
    const bool look = call.starts_with("content") || call.starts_with("is_claimed") ||
                      call.starts_with("volume_group");
    const bool command = !look && !call.starts_with("block_device") && !call.starts_with("mount");
    if (call.starts_with("block_device /dev/mapper/") || call.starts_with("block_device /dev/sd")) {
        return ""; // only a nicer name
    }
    if (call.starts_with("block_device")) return fault == Fault::lie ? "" : "cannot-tell";
    if (call == "/usr/sbin/blockdev" && fault != Fault::stuck) return ""; // it is tried again
    switch (fault) {
    case Fault::none: return "";
    case Fault::stuck: return "ephemeral-stuck";
    case Fault::error: return command ? "assembly-failed" : "ephemeral-io-error";
    case Fault::lie:
        if (call.starts_with("volume_group")) return "assembly-failed";
        if (look) return "";
        return command ? "assembly-failed" : "mount-failed";
    case Fault::garbage:
    case Fault::half: break;
    }
    if (look) return "cannot-tell";
    if (call.starts_with("mount")) return "mount-failed";
    if (call == "fullreport" || call == "version") return "assembly-failed";
    if (call == "vgchange") return "";
    // Half of it is not done; that it said nothing sensible is of no matter.
    return fault == Fault::half ? "assembly-failed" : "";
}

} // namespace

TEST_CASE("apply: a fresh machine, and again, and after a reboot") {
    for (const auto& layout : layouts()) {
        for (const unsigned count : {1U, 2U, 4U, 24U}) {
            CAPTURE(layout.volume_group, count);
            Assembly job(count);
            job.layout = layout;
            const auto first = job.run();
            CHECK(first.message.empty());
            CHECK(first.steps > 0);
            CHECK(job.machine.disks_of(job.machine.groups.at(0)).size() == count);
            CHECK(job.machine.groups[0].volumes.back().stripes == count);
            job.check_finished();

            job.machine.reboot();
            const auto again = job.run();
            CHECK(again.message.empty());
            for (const auto& write : job.machine.writes)
                FAIL("written to " << write.disk << " at a reboot: " << write.what);
            job.check_finished();
        }
    }
}

TEST_CASE("apply: blank disks after a stop and start are assembled anew") {
    Assembly job(2);
    CHECK(job.run().message.empty());
    job.machine.groups.clear();
    for (auto& [name, disk] : job.machine.disks) {
        disk.content = {.zeroed = true};
        disk.pv = disk.group = "";
        disk.in_use = false;
    }
    job.machine.reboot();
    CHECK(job.run().message.empty());
    job.check_finished();
}

TEST_CASE("apply: steps are told before and after, with what went wrong") {
    Assembly job(1);
    const auto plan = job.plan();
    REQUIRE(plan);
    Strings told;
    job.machine.fault_at = job.machine.calls + 3; // lvcreate
    job.machine.fault = Fault::error;
    const auto done = lvm::apply(
        job.world(), *plan, Deadline::in(job.machine.clock, std::chrono::seconds(300)),
        {.begin = [&](const std::string& what) { told.push_back("begin " + what); },
         .end = [&](const std::string&, const std::string& error) { told.push_back(error); }});
    REQUIRE_FALSE(done);
    REQUIRE(told.size() == 4);
    CHECK(told[0] == "begin create the volume group muster on /dev/nvme1n1");
    CHECK(told[1].empty());
    CHECK(told[2] == "begin create the volume scratch of 100%FREE in muster, linear");
    CHECK_THAT(told[3], Catch::EndsWith("ended with 5: fake: it failed."));
    CHECK(done.error().message == told[2].substr(6) + ": " + told[3]);
}

TEST_CASE("apply: a plan that refuses is not carried out at all") {
    Assembly job(2);
    auto plan = job.plan();
    REQUIRE(plan);
    plan->refusals.push_back({"nvme1n1", "ephemeral-foreign-data", "somebody's"});
    job.lvm.ran.clear();
    const auto done = job.apply(*plan);
    CHECK(done.reason == "ephemeral-foreign-data");
    CHECK(done.message == "somebody's");
    CHECK(job.machine.writes.empty());
    CHECK(job.lvm.ran.empty());
}

TEST_CASE("apply: a tool is missing") {
    for (const auto& [tool, says] : {std::pair{"lvm", "lvm2"}, {"mkfs.xfs", "xfsprogs"}}) {
        Assembly job(2);
        job.machine.sysfs.drop(std::string("/usr/sbin/") + tool);
        const auto done = job.run();
        CHECK(done.reason == "tool-missing");
        CHECK_THAT(done.message, Catch::Contains(says));
    }
}

TEST_CASE("apply: LVM's own question is the second refusal") {
    Assembly job(2);
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.disks.at("nvme2n1").content = {
        .signatures = {{"ext4", "filesystem", "", "", 1080}}};
    const auto done = job.apply(*plan);
    CHECK(done.reason == "assembly-failed");
    CHECK_THAT(done.message, Catch::Contains("1 existing signature left on the device"));
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk without a serial is not the same one when its serial can't be read") {
    Assembly job(2);
    job.machine.sysfs.drop("/sys/block/nvme2n1/device/serial");
    job.before_step = [&](const std::string&) {
        job.machine.sysfs.spoil("/sys/block/nvme2n1/device/serial");
    };
    CHECK(job.run().reason == "cannot-tell");
    CHECK(job.machine.writes.empty());
}

TEST_CASE("apply: a disk that is another one by now is not written to") {
    for (const char* attribute : {"device/serial", "device/model", "dev", "size", ""}) {
        for (const char* when :
             {"create the volume group", "create the volume scratch", "make xfs"}) {
            CAPTURE(attribute, when);
            Assembly job(2);
            std::size_t written = 0;
            job.before_step = [&](const std::string& step) {
                if (!step.starts_with(when)) return;
                written = job.machine.writes.size();
                const std::string folder = "/sys/block/nvme2n1/";
                if (*attribute == '\0') {
                    job.machine.sysfs.drop(folder);
                } else {
                    job.machine.sysfs.put(folder + attribute, "7:7");
                }
            };
            const auto done = job.run();
            CHECK(done.reason == "cannot-tell");
            CHECK_THAT(done.message, Catch::Contains("/dev/nvme2n1 is no longer the disk"));
            CHECK(job.machine.writes.size() == written);
        }
    }
}

TEST_CASE("apply: the volume must lie on the group's own disks") {
    Assembly job(2);
    job.before_step = [&](const std::string& step) {
        if (step.starts_with("make xfs")) job.machine.sysfs.folder("/sys/block/dm-0/slaves/xvdz");
    };
    const auto done = job.run();
    CHECK(done.reason == "assembly-failed");
    CHECK_THAT(done.message, Catch::Contains("lies on nvme1n1, nvme2n1, xvdz"));
    CHECK(job.machine.writes.back().what == "wipe");
}

TEST_CASE("apply: a volume without a filesystem is read back, too") {
    Assembly job(2);
    job.layout.volumes[0].filesystem = Filesystem::none;
    job.machine.fault = Fault::lie;
    SECTION("when it is made") {}
    SECTION("when it is activated") {
        REQUIRE(job.run().message.empty());
        job.machine.reboot();
        const auto plan = job.plan();
        REQUIRE(plan);
        job.machine.fault_at = job.machine.calls; // vgchange
        const auto done = job.apply(*plan);
        CHECK(job.machine.called[static_cast<std::size_t>(job.machine.fault_at)] == "vgchange");
        CHECK(done.reason == "assembly-failed");
        CHECK_THAT(done.message, Catch::Contains("no node for the volume scratch"));
        return;
    }
    const auto plan = job.plan();
    REQUIRE(plan);
    job.machine.fault_at = job.machine.calls + 4; // nodes, vgcreate, each disk's label, lvcreate
    const auto done = job.apply(*plan);
    CHECK(job.machine.called[static_cast<std::size_t>(job.machine.fault_at)] == "lvcreate");
    CHECK(done.reason == "assembly-failed");
    CHECK_THAT(done.message, Catch::Contains("no node for the volume scratch"));
}

namespace {

/// What a machine may be like before muster comes, where the configuration lets it go on.
struct Start {
    const char* name;
    void (*prepare)(Assembly& job);
};

void carry(Assembly& job, const std::string& disk, std::vector<Signature> signatures) {
    job.machine.disks.at(disk).content = {.signatures = std::move(signatures)};
}

const Start starts[] = {
    {"blank", [](Assembly&) {}},
    {"an old LVM", [](Assembly& job) { job.lvm.version = "2.02.187"; }},
    {"several volumes", [](Assembly& job) { job.layout = layouts()[1]; }},
    {"foreign data, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         const auto size = job.machine.disks.at("nvme1n1").spec.size;
         carry(job, "nvme1n1",
               {{"PMBR", "partition table", "", "", 510},
                {"gpt", "partition table", "", "", 512},
                {"gpt", "partition table", "", "", size - 512}});
         job.machine.add_partition("nvme1n1", "nvme1n1p1", {259, 100});
         carry(job, "nvme2n1",
               {{"crypto_LUKS", "crypto", "", "", 0}, {"crypto_LUKS", "crypto", "", "", 4 << 20}});
     }},
    {"data without a signature, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         carry(job, "nvme1n1", {});
     }},
    {"somebody's volume group, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         job.lvm.make_group("data", {}, {"nvme1n1", "nvme2n1"});
     }},
    {"the vendor's filesystem",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe_preformatted;
         carry(job, "nvme1n1", {{"ext3", "filesystem", "", "", 1080}});
         job.machine.disks.at("nvme1n1").content.preformatted = true;
     }},
    {"labels that say in use, of no group",
     [](Assembly& job) {
         job.lvm.label("nvme1n1", true);
         job.lvm.label("nvme2n1", false);
     }},
    {"our group with a disk missing, to be rebuilt",
     [](Assembly& job) {
         job.layout.on_partial = PartialGroup::rebuild;
         auto& group = job.lvm.make_group("muster", {"muster", "muster.instance=i-0abc"},
                                          {"nvme1n1", "nvme2n1"});
         group.pvs.emplace_back("gone");
         group.volumes.push_back(
             {.name = "scratch", .uuid = "u", .extents = 10, .minor = 0, .tags = {}});
     }},
};

} // namespace

TEST_CASE("apply: from each start, to the same end") {
    for (const auto& start : starts) {
        CAPTURE(start.name);
        Assembly job(2);
        start.prepare(job);
        job.machine.refresh();
        const auto done = job.run();
        CHECK(done.message.empty());
        job.check_finished();
    }
}

TEST_CASE("apply: the power goes at any step, before its effect or after: it converges") {
    for (const auto& start : starts) {
        Assembly whole(2);
        start.prepare(whole);
        whole.machine.refresh();
        REQUIRE(whole.run().message.empty());
        const int effects = whole.machine.effects;
        REQUIRE(effects >= 10);
        // Once more in the second run: at some places there, or at all of them.
        const int stride = std::getenv("MUSTER_SOAK") != nullptr ? 1 : 7;
        for (int first = 0; first < 2 * effects; ++first) {
            for (int second = -1; second < 2 * effects; second += second < 0 ? 1 : stride) {
                CAPTURE(start.name, first, second);
                Assembly job(2);
                start.prepare(job);
                job.machine.refresh();
                const auto run_cut = [&](int cut) {
                    (cut % 2 == 0 ? job.machine.cut_before : job.machine.cut_after) = cut / 2;
                    bool gone = false;
                    try {
                        const auto done = job.run();
                        CHECK(done.message.empty());
                    } catch (const PowerCut&) {
                        gone = true;
                    }
                    job.machine.reboot();
                    return gone;
                };
                REQUIRE(run_cut(first));
                if (second >= 0) run_cut(second);
                const auto done = job.run();
                REQUIRE(done.message.empty());
                job.check_finished();
            }
        }
    }
}

TEST_CASE("apply: each outside call in turn goes wrong: the right reason, and no write after it") {
    std::vector<Start> from(std::begin(starts), std::end(starts));
    from.push_back({"whole, after a reboot", [](Assembly& job) {
                        REQUIRE(job.run().message.empty());
                        job.machine.reboot();
                    }});
    for (const auto& start : from) {
        Assembly whole(2);
        start.prepare(whole);
        whole.machine.refresh();
        REQUIRE(whole.run().message.empty());
        const auto called = whole.machine.called;
        REQUIRE(called.size() >= 10);
        for (std::size_t at = 0; at < called.size(); ++at) {
            for (const auto fault :
                 {Fault::error, Fault::stuck, Fault::garbage, Fault::half, Fault::lie}) {
                CAPTURE(start.name, at, called[at], static_cast<int>(fault));
                Assembly job(2);
                start.prepare(job);
                job.machine.refresh();
                job.machine.fault_at = static_cast<int>(at);
                job.machine.fault = fault;
                const auto begun = job.machine.clock.elapsed();
                const auto done = job.run();
                CHECK(done.reason == reason_for(called[at], fault));
                CHECK(done.message.empty() == done.reason.empty());
                CHECK(job.machine.clock.elapsed() - begun <= std::chrono::seconds(300));
                // That zeros were not written shows when all of the disk's have been.
                const bool shows_late = fault == Fault::lie && called[at].ends_with("blkdiscard");
                // Nor that a node is not there: LVM is asked, and finds no disk.
                if (!done.reason.empty() && !shows_late && called[at] != "make_quiet_nodes") {
                    const auto& now = job.machine.called;
                    CHECK(std::none_of(now.begin() + static_cast<std::ptrdiff_t>(at) + 1, now.end(),
                                       changes));
                }
                // Then nothing is left that proves that the disk held nothing.
                if (shows_late && job.layout.on_foreign_data != ForeignData::wipe) {
                    continue;
                }
                // And the next run mends it.
                job.machine.fault_at = -1;
                const auto again = job.run();
                CHECK(again.message.empty());
                job.check_finished();
            }
        }
    }
}

TEST_CASE("apply: LVM writes through nodes that udev does not watch") {
    Assembly job(2);
    CHECK(job.run().reason.empty());
    CHECK(job.machine.quiet == std::set<std::string>{"nvme1n1", "nvme2n1"});

    // Nothing to write: no node is made.
    job.machine.reboot();
    CHECK(job.run().reason.empty());
    CHECK(std::ranges::find(job.machine.called, "make_quiet_nodes") == job.machine.called.end());
}

TEST_CASE("apply: an LVM before 2.03.12 has the usual nodes") {
    Assembly job(2);
    job.lvm.version = "2.03.11";
    CHECK(job.run().reason.empty());
    CHECK(std::ranges::find(job.machine.called, "make_quiet_nodes") == job.machine.called.end());
}

namespace {

/// A person who takes the plan's commands to a shell has udev's nodes.
std::string with_udevs_nodes(std::string command) {
    const auto replace_all = [&](std::string_view from, std::string_view to) {
        for (auto at = command.find(from); at != std::string::npos; at = command.find(from))
            command.replace(at, from.size(), to);
    };
    replace_all(R"( scan=["/dev/.muster"] obtain_device_list_from_udev=0)", "");
    replace_all("/dev/.muster/", "/dev/");
    return command;
}

} // namespace

TEST_CASE("apply: what runs is what the plan showed") {
    for (const auto& layout : layouts()) {
        Assembly assembly(3);
        assembly.layout = layout;
        const auto plan = assembly.plan();
        REQUIRE(plan);
        Strings shown;
        for (const auto& step : plan->steps) {
            for (const auto& line : commands_of(*plan, step)) {
                if (std::holds_alternative<MountVolume>(step)) {
                    CHECK_THAT(line, Catch::StartsWith("mount -t "));
                } else {
                    constexpr std::string_view variable = "LVM_SYSTEM_DIR= ";
                    const auto tool = line.starts_with(variable) ? variable.size() : 0;
                    shown.push_back(line.substr(0, tool) + "/usr/sbin/" + line.substr(tool));
                }
            }
        }
        CHECK(assembly.apply(*plan).reason == "");
        Strings ran;
        for (auto command : assembly.lvm.ran) {
            if (!command.writes_disks) continue;
            // mkfs is given the kernel's own name of the node that was proved.
            if (command.argv.back().starts_with("/dev/dm-")) command.argv.back() = "NODE";
            ran.push_back(with_udevs_nodes(to_string(command)));
        }
        for (auto& line : shown) {
            if (line.find("/mkfs.") != line.npos) line = line.substr(0, line.rfind(' ')) + " NODE";
        }
        CHECK(ran == shown);
    }
    VolumeLayout volume{.name = "scratch", .options = {"noatime", "nodev"}};
    CHECK(commands_of({.group = "muster"}, MountVolume{volume}).at(0) ==
          "mount -t xfs -o noatime,nodev /dev/mapper/muster-scratch /mnt/scratch");
}
