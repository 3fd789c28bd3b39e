// The whole way on a fake machine: disks found and told apart, surveyed, planned, assembled.
#pragma once

#include "lvm/apply.h"
#include "lvm/tool.h"
#include "probes/block_devices.h"
#include "probes/ephemeral.h"
#include "tests/fakes/fake_lvm.h"

namespace muster::lvm {

/// One striped volume, and several of all kinds.
inline std::vector<GroupLayout> layouts() {
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

struct Outcome {
    std::string reason; ///< "" where all went well
    std::string message;
    std::size_t steps = 0; ///< planned
    /// The disks are said to hold nothing that a new machine would lose (agent/storage).
    bool without_data = false;
};

struct Assembly {
    FakeMachine machine;
    FakeLvm lvm{machine};
    GroupLayout layout{.volumes = {VolumeLayout{.name = "scratch"}}};
    probes::Mapping mapping;
    std::string instance_type = "m1.xlarge"; ///< has ephemeral disks without a model
    bool may_be_late = false;
    std::function<void(const std::string& step)> before_step;

    explicit Assembly(unsigned nvme_disks = 0) {
        for (unsigned n = 1; n <= nvme_disks; ++n)
            machine.add_nvme(n);
        machine.refresh();
    }

    [[nodiscard]] Machine world() { return {machine.sysfs.files(), machine, lvm, machine.clock}; }

    [[nodiscard]] std::expected<Plan, Failure> plan() {
        const auto disks = probes::read_disks(machine.sysfs.files(), machine);
        if (!disks) return std::unexpected(Failure{"cannot-tell", disks.error().message});
        Inventory inventory;
        for (const auto& known : probes::tell_origins(
                 *disks, mapping, probes::resolve_mapping(machine, mapping), instance_type)) {
            if (known.origin == probes::Origin::instance_store) {
                inventory.ephemeral.push_back({known.disk, known.evidence});
            } else {
                inventory.others.push_back(known.disk);
            }
        }
        const auto deadline = Deadline::in(machine.clock, std::chrono::seconds(300));
        Scout scout(world(), deadline);
        auto situation = survey(world(), scout, inventory, layout, "i-0abc", deadline);
        if (!situation) return std::unexpected(situation.error());
        situation->may_be_late = may_be_late;
        return make_plan(*situation);
    }

    [[nodiscard]] Outcome apply(const Plan& plan) {
        bool without_data = plan.without_data;
        const StepNotice notice{.begin =
                                    [&](const std::string& step) {
                                        if (before_step) before_step(step);
                                    },
                                .end = [](const std::string&, const std::string&) {},
                                .blank = [&] { without_data = true; }};
        const auto done = lvm::apply(
            world(), plan, Deadline::in(machine.clock, std::chrono::seconds(300)), notice);
        if (done) return {"", "", plan.steps.size(), without_data};
        const auto& [reason, message] = done.error();
        return {reason, message, plan.steps.size(), without_data && reason != "cannot-tell"};
    }

    Outcome run() {
        const auto made = plan();
        if (!made) return {made.error().reason, made.error().message, 0};
        return apply(*made);
    }

    /// Every volume of the layout is there, whole and mounted; and to look again plans nothing.
    void check_finished() {
        machine.writes.clear();
        lvm.ran.clear();
        const auto again = run();
        CHECK(again.reason.empty());
        CHECK(again.message.empty());
        CHECK(again.steps == 0);
        CHECK(machine.writes.empty());
        for (const auto& command : lvm.ran)
            CHECK_FALSE(command.writes_disks);
        REQUIRE(machine.groups.size() == 1);
        const auto& group = machine.groups[0];
        CHECK(group.name == layout.volume_group);
        CHECK(group.tags == std::vector<std::string>{"muster", "muster.instance=i-0abc"});
        REQUIRE(group.volumes.size() == layout.volumes.size());
        for (const auto& wanted : layout.volumes) {
            const auto found =
                std::ranges::find(group.volumes, wanted.name, &FakeMachine::Volume::name);
            REQUIRE(found != group.volumes.end());
            if (wanted.filesystem == Filesystem::none) continue;
            CHECK(found->mounts == std::vector<std::string>{machine.resolved(wanted.mount)});
            CHECK_FALSE(found->mkfs_incomplete);
            CHECK(std::ranges::find(found->tags, unfinished_tag) == found->tags.end());
            REQUIRE(found->content.signatures.size() == 1);
            CHECK(found->content.signatures[0].label.empty()); // of our own making
            CHECK(found->content.signatures[0].type ==
                  (wanted.filesystem == Filesystem::xfs ? "xfs" : "ext4"));
        }
    }
};

} // namespace muster::lvm
