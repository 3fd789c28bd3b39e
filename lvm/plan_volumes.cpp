#include "lvm/plan_volumes.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

unsigned stripes(const VolumeLayout& volume, std::size_t disks) {
    return volume.layout == Layout::striped ? static_cast<unsigned>(disks) : 1;
}

std::string size_argument(const VolumeLayout& volume) {
    if (const auto* percent = std::get_if<Percent>(&volume.size)) {
        return percent->value == 100 ? "100%FREE" : fmt::format("{}%VG", percent->value);
    }
    // lvcreate takes whole sectors of 512 bytes, and rounds up to extents itself.
    constexpr std::uint64_t sector = 512;
    return fmt::format("{}b",
                       (std::get<std::uint64_t>(volume.size) + sector - 1) / sector * sector);
}

const LogicalVolume* find(const VolumeGroup* group, const std::string& name) {
    if (group == nullptr) return nullptr;
    const auto found = std::ranges::find(group->logical, name, &LogicalVolume::name);
    return found == group->logical.end() ? nullptr : &*found;
}

class Volumes {
  public:
    Volumes(const Situation& situation, Plan& plan) : now_(situation), plan_(plan) {}

    /// First of all: what an unfinished volume takes is what its successor gets.
    void remove_unfinished(const VolumeGroup* group) {
        for (const auto& volume : now_.layout.volumes) {
            const auto* logical = find(group, volume.name);
            if (logical == nullptr || !is_unfinished(*logical)) continue;
            const auto* node = active(volume);
            if (node != nullptr && !node->mounts.empty()) {
                plan_.refusals.push_back(
                    {volume.name, "mount-failed",
                     fmt::format("the volume {} is mounted at {}, and muster never finished it: "
                                 "unmount it, then muster makes it anew",
                                 volume.name, node->mounts.front())});
            }
            plan_.steps.emplace_back(RemoveVolume{volume.name});
        }
    }

    void activate(const VolumeGroup* group) {
        ActivateGroup activate;
        for (const auto& volume : now_.layout.volumes) {
            const auto* logical = find(group, volume.name);
            if (logical != nullptr && !is_unfinished(*logical) && active(volume) == nullptr) {
                activate.volumes.push_back(volume.name);
            }
        }
        if (!activate.volumes.empty()) plan_.steps.emplace_back(std::move(activate));
    }

    void create(const VolumeLayout& volume) {
        const unsigned across = stripes(volume, plan_.devices.size());
        plan_.steps.emplace_back(CreateVolume{volume, size_argument(volume), across});
        created_.push_back(volume.name);
        if (volume.filesystem == Filesystem::none) return;
        plan_.steps.emplace_back(MakeFilesystem{volume, across});
        to_mount_.push_back(volume);
    }

    /// A volume that an earlier run has finished.
    void use(const VolumeLayout& volume) {
        if (volume.filesystem == Filesystem::none) return;
        const auto* node = active(volume);
        if (node == nullptr) {
            plan_.steps.emplace_back(CheckFilesystem{volume});
            to_mount_.push_back(volume);
            return;
        }
        if (auto checked = check_finished(plan_.group, volume, node->content); !checked) {
            plan_.refusals.push_back(std::move(checked.error()));
            return;
        }
        // Ours may be mounted there and out of sight, under a later mount of another program's.
        if (std::ranges::find(node->mounts, point(volume).path) == node->mounts.end() ||
            now_.mounted_on.contains(volume.mount) || !point(volume).problem.empty()) {
            to_mount_.push_back(volume);
        }
    }

    /// A mounted volume may get data, so it is finished before.
    void finish_and_mount() {
        if (!created_.empty()) plan_.steps.emplace_back(FinishVolumes{std::move(created_)});
        for (const auto& volume : to_mount_)
            mount(volume);
    }

  private:
    [[nodiscard]] const ActiveVolume* active(const VolumeLayout& volume) const {
        const auto found = now_.active.find(mapper_name(plan_.group, volume.name));
        return found == now_.active.end() ? nullptr : &found->second;
    }

    /// What was not looked at is taken as it is written.
    [[nodiscard]] WantedPoint point(const VolumeLayout& volume) const {
        const auto found = now_.points.find(volume.mount);
        return found == now_.points.end() ? WantedPoint{.path = volume.mount} : found->second;
    }

    void mount(const VolumeLayout& volume) {
        plan_.steps.emplace_back(MountVolume{volume});
        const auto at = point(volume);
        if (!at.problem.empty()) {
            plan_.refusals.push_back({volume.mount, "mount-failed", at.problem});
        }
        if (!at.entries.empty()) {
            const auto text = fmt::format("{} is not empty: the mount hides what is there ({})",
                                          volume.mount, fmt::join(at.entries, ", "));
            plan_.notes.push_back(text);
            plan_.warnings.push_back({volume.mount, "mount-failed", text});
        }
        const auto other = now_.mounted_on.find(volume.mount);
        if (other == now_.mounted_on.end()) return;
        plan_.refusals.push_back(
            {volume.mount, "mount-failed",
             fmt::format("{} is mounted at {} already; unmount it or choose another mount point",
                         other->second, volume.mount)});
    }

    const Situation& now_;
    Plan& plan_;
    std::vector<std::string> created_;
    std::vector<VolumeLayout> to_mount_;
};

} // namespace

void plan_volumes(const Situation& situation, const VolumeGroup* group, Plan& plan) {
    Volumes volumes(situation, plan);
    volumes.remove_unfinished(group);
    volumes.activate(group);
    for (const auto& volume : situation.layout.volumes) {
        const auto* logical = find(group, volume.name);
        if (logical == nullptr || is_unfinished(*logical)) {
            volumes.create(volume);
        } else {
            volumes.use(volume);
        }
    }
    volumes.finish_and_mount();
}

bool carries(const DiskContent& content, Filesystem filesystem) {
    // libblkid's magic bytes: ext4's s_magic at 1080, "XFSB" at 0.
    const std::uint64_t place = filesystem == Filesystem::ext4 ? 1080 : 0;
    return std::ranges::any_of(content.signatures, [&](const Signature& signature) {
        return signature.type == to_string(filesystem) && signature.offset == place;
    });
}

std::expected<void, Refusal> check_finished(const std::string& group, const VolumeLayout& volume,
                                            const DiskContent& content) {
    if (carries(content, volume.filesystem)) return {};
    const bool nothing = content.signatures.empty();
    return std::unexpected(Refusal{
        volume.name, nothing ? "assembly-failed" : "mount-failed",
        fmt::format("the finished volume {0} carries {1}, the configuration wants {2}: nothing is "
                    "formatted over it; save what is needed, then `lvremove {3}/{0}` lets the next "
                    "run make it anew",
                    volume.name, nothing ? "no filesystem" : describe(content.signatures.front()),
                    to_string(volume.filesystem), group)});
}

} // namespace muster::lvm
