// No write to any disk that is not positively ephemeral and permitted, ever: random machines
// through the real way from sysfs to LVM's commands (tests/seeds.h says how many, and which).
#include "tests/lvm/random_machine.h"
#include "tests/seeds.h"

using namespace muster;
using namespace muster::lvm;

namespace {

/// Those of groups with our tag, by their uuids.
std::set<std::string> all_owners_volumes(const FakeMachine& machine) {
    std::set<std::string> found;
    for (const auto& group : machine.groups) {
        if (std::ranges::find(group.tags, "muster") == group.tags.end()) continue;
        for (const auto& name : owners_volumes(group))
            found.insert(group.uuid + name);
    }
    return found;
}

/// What lies on finished volumes, by their uuids.
std::map<std::string, DiskContent> finished_volumes(const FakeMachine& machine) {
    std::map<std::string, DiskContent> found;
    for (const auto& group : machine.groups) {
        for (const auto& volume : group.volumes) {
            const bool finished =
                std::ranges::find(volume.tags, unfinished_tag) == volume.tags.end();
            if (finished) found[group.uuid + volume.uuid] = volume.content;
        }
    }
    return found;
}

/// A finished volume goes with its group or stays as it is; and what an earlier owner left where a
/// volume begins is never mounted.
void check_volumes(const FakeMachine& machine,
                   const std::map<std::string, DiskContent>& finished_before) {
    for (const auto& [uuid, content] : finished_volumes(machine)) {
        const auto before = finished_before.find(uuid);
        if (before != finished_before.end()) REQUIRE(before->second == content);
    }
    for (const auto& group : machine.groups) {
        for (const auto& volume : group.volumes) {
            if (volume.mounts.empty()) continue;
            for (const auto& signature : volume.content.signatures)
                REQUIRE(signature.label != "payroll");
        }
    }
}

/// Where these reasons are named a new machine is advised unless there are data: none of the disks
/// that held some at the beginning does, but where the configuration had them go.
void check_advice(const RandomMachine& machine, const Outcome& done) {
    if (!done.without_data || (done.reason != "cannot-tell" && done.reason != "assembly-failed")) {
        return;
    }
    for (const auto& name : machine.with_data) {
        INFO(done.reason << " and said to hold no data: " << name << "; " << done.message);
        CHECK(std::ranges::any_of(machine.job.machine.writes, [&](const auto& write) {
            return write.disk == name && (write.what == "zeros" || write.what == "area emptied");
        }));
    }
}
unsigned strangers = 0; ///< whose write was there to be seen

/// What became of a machine: "ready", "cut", or the reason.
std::string try_machine(std::uint64_t seed, unsigned& kept, unsigned& replaced) {
    INFO("MUSTER_SEED=" << seed);
    RandomMachine machine(seed);
    const auto finished_before = finished_volumes(machine.job.machine);
    const auto owners_before = all_owners_volumes(machine.job.machine);
    std::string end = "cut";
    try {
        const auto done = machine.run();
        REQUIRE(done.reason.empty() == done.message.empty());
        check_advice(machine, done);
        kept += done.reason == "assembly-failed" && !done.without_data;
        replaced += done.reason == "assembly-failed" && done.without_data;
        end = done.reason.empty() ? (done.steps > 0 ? "assembled" : "nothing to do") : done.reason;
    } catch (const PowerCut&) {
    }
    const auto& writes = machine.job.machine.writes;
    for (std::size_t i = 0; i < writes.size(); ++i) {
        INFO("wrote \"" << writes[i].what << "\" to " << writes[i].disk);
        REQUIRE(machine.permitted.contains(writes[i].disk));
        if (i >= machine.writes_before) REQUIRE(writes[i].disk != machine.exchanged);
        if (i >= machine.seen_after) REQUIRE(writes[i].disk != machine.stranger_on);
    }
    check_volumes(machine.job.machine, finished_before);
    if (!machine.stranger_on.empty() && machine.seen_after != SIZE_MAX) ++strangers;
    machine.job.machine.meanwhile = {};
    if (end == "cut") { // the next boot
        machine.job.machine.reboot();
        static_cast<void>(machine.job.run());
        check_volumes(machine.job.machine, finished_before);
    }
    for (const auto& volume : owners_before)
        REQUIRE(all_owners_volumes(machine.job.machine).contains(volume));
    return end;
}

} // namespace

TEST_CASE("safety: no write to any disk that is not positively ephemeral and permitted") {
    const auto [first, machines] = testing::seeds(300, 10'000);
    std::map<std::string, unsigned> ends;
    unsigned kept = 0; // where assembly failed
    unsigned replaced = 0;
    for (std::uint64_t seed = first; seed < first + machines; ++seed)
        ++ends[try_machine(seed, kept, replaced)];
    std::string text;
    for (const auto& [end, count] : ends)
        text += fmt::format(" {}: {};", end, count);
    WARN(machines << " machines from seed " << first << ":" << text
                  << " strangers' writes seen: " << strangers);
    if (machines == 1) return;
    CHECK(strangers > 0);
    // The sample must hold what it is about.
    for (const char* end : {"assembled", "nothing to do", "cut", "ephemeral-foreign-data",
                            "layout-changed", "cannot-tell"})
        CHECK(ends[end] > 0);
    CHECK(kept > 0);
    CHECK(replaced > 0);
}
