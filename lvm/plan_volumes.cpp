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

bool made_for_filesystem(const LogicalVolume& volume) {
    return std::ranges::any_of(volume.tags, [](const std::string& tag) {
        return tag == filesystem_tag(Filesystem::xfs) || tag == filesystem_tag(Filesystem::ext4);
    });
}

const LogicalVolume* find(const VolumeGroup* group, const std::string& name) {
    if (group == nullptr) return nullptr;
    const auto found = std::ranges::find(group->logical, name, &LogicalVolume::name);
    return found == group->logical.end() ? nullptr : &*found;
}

class Volumes {
  public:
    Volumes(const Situation& situation, Plan& plan) : now_(situation), plan_(plan) {}

    void activate(const VolumeGroup* group) {
        ActivateGroup activate;
        for (const auto& volume : now_.layout.volumes) {
            if (find(group, volume.name) != nullptr && active(volume) == nullptr) {
                activate.volumes.push_back(volume.name);
            }
        }
        if (!activate.volumes.empty()) plan_.steps.emplace_back(std::move(activate));
    }

    void add(const VolumeLayout& volume) {
        const unsigned across = stripes(volume, plan_.devices.size());
        plan_.steps.emplace_back(CreateVolume{volume, size_argument(volume), across});
        if (volume.filesystem == Filesystem::none) return;
        plan_.steps.emplace_back(MakeFilesystem{volume, across});
        mount(volume);
    }

    void finish(const VolumeLayout& volume, const LogicalVolume& logical) {
        if (volume.filesystem == Filesystem::none) return;
        const bool maybe_raw = !made_for_filesystem(logical);
        const auto* node = active(volume);
        if (node == nullptr) {
            plan_.steps.emplace_back(MakeFilesystem{.volume = volume,
                                                    .stripes = logical.stripes,
                                                    .look_first = true,
                                                    .maybe_raw = maybe_raw});
            mount(volume);
            return;
        }
        auto need = filesystem_needed(node->content, volume, maybe_raw);
        if (!need) {
            plan_.refusals.push_back(std::move(need.error()));
            return;
        }
        if (*need != FilesystemNeed::none) {
            plan_.steps.emplace_back(
                MakeFilesystem{.volume = volume,
                               .stripes = logical.stripes,
                               .over_unfinished = *need == FilesystemNeed::make_over_unfinished,
                               .maybe_raw = maybe_raw});
        }
        // Ours may be mounted there and out of sight, under a later mount of somebody else's.
        if (std::ranges::find(node->mounts, volume.mount) == node->mounts.end() ||
            now_.mounted_on.contains(volume.mount)) {
            mount(volume);
        }
    }

  private:
    [[nodiscard]] const ActiveVolume* active(const VolumeLayout& volume) const {
        const auto found = now_.active.find(mapper_name(plan_.group, volume.name));
        return found == now_.active.end() ? nullptr : &found->second;
    }

    void mount(const VolumeLayout& volume) {
        plan_.steps.emplace_back(MountVolume{volume});
        const auto other = now_.mounted_on.find(volume.mount);
        if (other == now_.mounted_on.end()) return;
        plan_.refusals.push_back(
            {volume.mount, "mount-failed",
             fmt::format("{} is mounted at {} already; unmount it or choose another mount point",
                         other->second, volume.mount)});
    }

    const Situation& now_;
    Plan& plan_;
};

} // namespace

void plan_volumes(const Situation& situation, const VolumeGroup* group, Plan& plan) {
    Volumes volumes(situation, plan);
    volumes.activate(group);
    for (const auto& volume : situation.layout.volumes) {
        const auto* logical = find(group, volume.name);
        if (logical == nullptr) {
            volumes.add(volume);
        } else {
            volumes.finish(volume, *logical);
        }
    }
}

std::expected<FilesystemNeed, Refusal>
filesystem_needed(const DiskContent& content, const VolumeLayout& volume, bool maybe_raw) {
    const auto wanted = to_string(volume.filesystem);
    if (content.signatures.empty() && maybe_raw) {
        return std::unexpected(Refusal{
            volume.name, "mount-failed",
            fmt::format("the volume {} was made to be used without a filesystem and may hold data, "
                        "the configuration now wants {}; it is left as it is: lvremove it if "
                        "nothing on it is needed",
                        volume.name, wanted)});
    }
    if (content.signatures.empty()) return FilesystemNeed::make;
    const auto& found = content.signatures.front();
    if (content.signatures.size() == 1 && found.type == wanted) {
        return content.unfinished ? FilesystemNeed::make_over_unfinished : FilesystemNeed::none;
    }
    return std::unexpected(Refusal{
        volume.name, "mount-failed",
        fmt::format("the volume {} carries {}, the configuration wants {}; it is left as it is",
                    volume.name, describe(found), wanted)});
}

} // namespace muster::lvm
