// Situations for the tests of the planner, built piece by piece.
#pragma once

#include <fmt/format.h>

#include "lvm/plan.h"
#include "lvm/tool.h"
#include "tests/catch.h"

namespace muster::lvm {

inline constexpr const char* us = "i-0abc";

inline Signature signature(const std::string& type, const std::string& label = "",
                           std::uint64_t offset = 0) {
    return {type, "filesystem", label, "", offset};
}

/// As LVM prints one.
inline std::string uuid_of(const std::string& group) {
    return fmt::format("{:0<6}-0000-0000-0000-0000-0000-000000", group.substr(0, 6));
}

inline const DiskContent carries_xfs{.signatures = {signature("xfs")}};

/// The plan's step of that number, which is of that kind.
template <class T>
const T& step(const Plan& plan, std::size_t n) {
    REQUIRE(n < plan.steps.size());
    const auto* found = std::get_if<T>(&plan.steps[n]);
    REQUIRE(found != nullptr);
    return *found;
}

struct Builder {
    Situation now{.instance_id = us, .layout = {.volumes = {VolumeLayout{.name = "scratch"}}}};

    Builder& disks(unsigned count, const DiskContent& content = {.zeroed = true}) {
        for (unsigned i = 0; i < count; ++i) {
            const auto n = static_cast<unsigned>(now.candidates.size()) + 1;
            const auto name = fmt::format("nvme{}n1", n);
            now.candidates.push_back({.disk = {.name = name,
                                               .node = "/dev/" + name,
                                               .major = 259,
                                               .minor = n,
                                               .size = std::uint64_t{1} << 30},
                                      .evidence = "NVMe model",
                                      .content = content});
        }
        return *this;
    }
    /// Disks that carry an LVM label; LVM is still to say of which group.
    Builder& labelled(unsigned count) {
        return disks(count, {.signatures = {signature("LVM2_member")}});
    }
    /// All labelled disks are one group's.
    VolumeGroup& group(const std::string& name = "muster",
                       std::vector<std::string> tags = {"muster", instance_tag(us)}) {
        VolumeGroup made{
            .name = name, .uuid = uuid_of(name), .tags = std::move(tags), .extent_size = 4 << 20};
        for (const auto& candidate : now.candidates) {
            if (candidate.content.signatures.empty()) continue;
            made.physical.push_back({.name = candidate.disk.node,
                                     .major = candidate.disk.major,
                                     .minor = candidate.disk.minor,
                                     .in_use = true,
                                     .extents = 250});
        }
        now.lvm.groups.push_back(std::move(made));
        return now.lvm.groups.back();
    }
    Builder& volume(const std::string& name = "scratch", unsigned stripes = 2,
                    Filesystem made_for = Filesystem::xfs) {
        now.lvm.groups.back().logical.push_back(
            {.name = name, .stripes = stripes, .tags = {filesystem_tag(made_for)}});
        return *this;
    }
    /// The volume was made last, and never finished.
    Builder& unfinished() {
        now.lvm.groups.back().logical.back().tags.emplace_back(unfinished_tag);
        return *this;
    }
    /// Of the last group, if there is one.
    ActiveVolume& active(const DiskContent& content, std::vector<std::string> mounts = {},
                         const std::string& name = "muster-scratch") {
        const auto group = now.lvm.groups.empty() ? uuid_of("gone") : now.lvm.groups.back().uuid;
        ActiveVolume volume{.node = fmt::format("/dev/dm-{}", now.active.size()),
                            .uuid = mapper_uuid(group) + "volume",
                            .content = content,
                            .mounts = std::move(mounts)};
        for (auto& candidate : now.candidates) {
            if (candidate.content.signatures.empty()) continue;
            volume.disks.push_back(candidate.disk.name);
            candidate.disk.holders.push_back(volume.node.substr(5));
        }
        return now.active[name] = std::move(volume);
    }
    VolumeLayout& layout() { return now.layout.volumes.front(); }

    /// A machine on which all is done.
    Builder& finished() {
        labelled(2).group();
        volume();
        active({.signatures = {signature("xfs")}}, {"/mnt/scratch"});
        return *this;
    }

    [[nodiscard]] Plan plan() const { return make_plan(now); }

    /// The steps, one a line; "" with refusals.
    [[nodiscard]] std::vector<std::string> steps() const {
        const auto plan = make_plan(now);
        for (const auto& refusal : plan.refusals)
            UNSCOPED_INFO(refusal.subject << ": " << refusal.reason << ": " << refusal.message);
        CHECK(plan.refusals.empty());
        std::vector<std::string> lines;
        for (const auto& step : plan.steps)
            lines.push_back(describe(plan, step));
        return lines;
    }

    /// The one refusal there is; and with it no step is planned.
    [[nodiscard]] Refusal refusal() const {
        const auto plan = make_plan(now);
        CHECK(plan.steps.empty());
        REQUIRE(plan.refusals.size() == 1);
        CHECK_FALSE(plan.refusals.front().message.empty());
        return plan.refusals.front();
    }
};

} // namespace muster::lvm
