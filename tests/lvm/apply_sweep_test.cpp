// From each start that a machine may be in: to the same end, the power cut at any step, each
// outside call gone wrong.
#include <cstdlib>

#include "tests/lvm/assembly.h"

using namespace muster;
using namespace muster::lvm;

namespace {

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
