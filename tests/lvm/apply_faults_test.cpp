// From each start that a machine may be in: each outside call gone wrong.
#include "tests/lvm/starts.h"

using namespace muster;
using namespace muster::lvm;

namespace {

bool changes(const std::string& call) {
    return call == "vgremove" || call == "pvremove" || call.starts_with("wipe ") ||
           call == "vgcreate" || call == "lvcreate" || call == "lvremove" || call == "lvchange" ||
           call == "vgchange" || call.starts_with("/usr/sbin/mkfs") || call.starts_with("mount ");
}

/// What must come of it when this call goes wrong so; "" where the job can go on.
std::string reason_for(const std::vector<std::string>& called, std::size_t at, Fault fault) {
    const auto& call = called[at];
    if (call.starts_with("mount_point")) { // before the mount "nothing there" is true
        const auto upto = called.begin() + static_cast<std::ptrdiff_t>(at);
        const bool after = std::any_of(called.begin(), upto, [](const std::string& earlier) {
            return earlier.starts_with("mount /");
        });
        return fault == Fault::lie && !after ? "" : "mount-failed";
    }
    // Without them udev is asked more often; nodes that are not there are disks that are not.
    if (call == "make_quiet_nodes") return fault == Fault::lie ? "assembly-failed" : "";
    const bool look = call.starts_with("content") || call.starts_with("is_claimed") ||
                      call.starts_with("volume_group");
    if (call == "openers") return fault == Fault::lie ? "" : "cannot-tell";
    if (call.starts_with("wipe ")) {
        return fault == Fault::lie       ? "assembly-failed"
               : fault == Fault::stuck   ? "ephemeral-stuck"
               : fault == Fault::garbage ? "cannot-tell"
                                         : "ephemeral-io-error";
    }
    const bool command = !look && !call.starts_with("block_device") && !call.starts_with("mount");
    if (call.starts_with("block_device /dev/mapper/") || call.starts_with("block_device /dev/sd")) {
        return ""; // only a nicer name
    }
    if (call.starts_with("block_device")) return fault == Fault::lie ? "" : "cannot-tell";
    switch (fault) {
    case Fault::none: return "";
    case Fault::stuck: return "ephemeral-stuck";
    case Fault::error: return command ? "assembly-failed" : "ephemeral-io-error";
    case Fault::lie:
        if (call.starts_with("volume_group")) return "assembly-failed";
        if (look || call == "vgchange") return ""; // the mark counts after a power cut alone
        return command ? "assembly-failed" : "mount-failed";
    case Fault::garbage:
    case Fault::half: break;
    }
    if (look) return "cannot-tell";
    if (call.starts_with("mount")) return "mount-failed";
    if (call == "fullreport" || call == "version") return "assembly-failed";
    // Half of it is not done; that it said nothing sensible is of no matter.
    return fault == Fault::half ? "assembly-failed" : "";
}

} // namespace

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
                CHECK(done.reason == reason_for(called, at, fault));
                CHECK(done.message.empty() == done.reason.empty());
                CHECK(job.machine.clock.elapsed() - begun <= std::chrono::seconds(300));
                // That zeros were not written shows when all of the disk's have been.
                const bool shows_late = fault == Fault::lie && called[at].starts_with("wipe ");
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
