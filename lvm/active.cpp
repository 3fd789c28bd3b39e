#include "lvm/active.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <set>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

// A cached thin volume with a snapshot lies eight deep.
constexpr unsigned deepest = 16;
constexpr std::size_t most_layers = 1024; ///< beneath one node; a raid over 24 disks has 48

std::unexpected<Failure> cannot_tell(const Error& error) {
    return std::unexpected(Failure{"cannot-tell", error.message});
}

struct Node {
    std::string block; ///< "dm-3"
    std::string name;  ///< "muster-scratch"
    std::string uuid;  ///< "LVM-" ...; of others' what they chose, or empty
};

std::string sysfs(const std::string& block) {
    return "/sys/block/" + block + "/";
}

/// All of them. An owner's own may vanish meanwhile.
std::expected<std::vector<Node>, Failure> read_nodes(const Files& files) {
    const auto blocks = files.list("/sys/block");
    if (!blocks) return cannot_tell(blocks.error());
    std::vector<Node> nodes;
    for (const auto& block : *blocks) {
        if (!block.starts_with("dm-")) continue;
        auto name = files.read_value(sysfs(block) + "dm/name");
        auto uuid = files.read_value(sysfs(block) + "dm/uuid");
        if (name && uuid) {
            nodes.push_back({block, std::move(*name), std::move(*uuid)});
        } else if (files.exists(sysfs(block))) {
            return cannot_tell(name ? uuid.error() : name.error());
        }
    }
    return nodes;
}

/// Down through the layers that LVM lays over each other within one group (a snapshot's origin, the
/// parts of a cache, a thin pool or a raid) to what is none of these: the disks.
class Layers {
  public:
    Layers(const Files& files, const std::vector<Node>& nodes, const Node& top)
        : files_(files), nodes_(nodes), group_(mapper_group(top.uuid)) {}

    std::expected<std::vector<std::string>, Failure> disks_under(const Node& top) {
        if (auto done = descend(top.block, 0); !done) return std::unexpected(done.error());
        return std::vector(disks_.begin(), disks_.end());
    }

  private:
    std::expected<void, Failure> descend(const std::string& block, unsigned depth) {
        if (!seen_.insert(block).second) return {};
        if (depth > deepest || seen_.size() > most_layers) {
            return cannot_tell({Errc::too_large, block + " is one of too many layers to follow"});
        }
        const auto folder = sysfs(block) + "slaves/";
        const auto slaves = files_.list(folder);
        if (!slaves) return cannot_tell(slaves.error());
        for (const auto& slave : *slaves) {
            // The link to a disk that was taken away may stay, and leads nowhere.
            if (!files_.exists(folder + slave)) continue;
            if (!is_layer(slave)) {
                disks_.insert(slave);
            } else if (auto done = descend(slave, depth + 1); !done) {
                return done;
            }
        }
        return {};
    }

    [[nodiscard]] bool is_layer(const std::string& block) const {
        const auto found = std::ranges::find(nodes_, block, &Node::block);
        return found != nodes_.end() && !group_.empty() && mapper_group(found->uuid) == group_;
    }

    const Files& files_;
    const std::vector<Node>& nodes_;
    std::string group_;
    std::set<std::string> seen_;
    std::set<std::string> disks_;
};

std::expected<ActiveVolume, Failure> read_volume(const Machine& machine,
                                                 const std::vector<Node>& nodes, const Node& node,
                                                 const std::vector<Mount>& mounts) {
    ActiveVolume volume{.node = "/dev/" + node.block, .uuid = node.uuid};
    const auto size = machine.files.read_value(sysfs(node.block) + "size");
    const auto number = machine.kernel.block_device(volume.node);
    if (!size) return cannot_tell(size.error());
    if (!number) return cannot_tell(number.error());
    auto disks = Layers(machine.files, nodes, node).disks_under(node);
    if (!disks) return std::unexpected(disks.error());
    volume.disks = std::move(*disks);
    volume.number = *number;
    const auto* end = size->data() + size->size();
    if (const auto read = std::from_chars(size->data(), end, volume.size);
        read.ec != std::errc() || read.ptr != end) {
        return cannot_tell({Errc::malformed, fmt::format("{}size: expected a number, found \"{}\"",
                                                         sysfs(node.block), *size)});
    }
    volume.size *= 512;
    for (const auto& mount : mounts) {
        if (DeviceNumber{mount.major, mount.minor} == volume.number) {
            volume.mounts.push_back(mount.target);
            volume.mounted_as = mount.filesystem;
        }
    }
    return volume;
}

template <class Wanted>
std::expected<std::map<std::string, ActiveVolume>, Failure> read_those(const Machine& machine,
                                                                       Wanted wanted) {
    const auto mounts = read_mounts(machine.files);
    if (!mounts) return std::unexpected(mounts.error());
    const auto nodes = read_nodes(machine.files);
    if (!nodes) return std::unexpected(nodes.error());
    std::map<std::string, ActiveVolume> active;
    for (const auto& node : *nodes) {
        if (!wanted(node)) continue;
        auto volume = read_volume(machine, *nodes, node, *mounts);
        if (volume) {
            active.emplace(node.name, std::move(*volume));
        } else if (machine.files.exists(sysfs(node.block))) {
            return std::unexpected(volume.error());
        }
    }
    return active;
}

} // namespace

std::expected<std::vector<Mount>, Failure> read_mounts(const Files& files) {
    const auto text = files.read("/proc/self/mountinfo", 4 << 20);
    if (!text) return cannot_tell(text.error());
    auto mounts = parse_mountinfo(*text);
    if (!mounts) return cannot_tell(mounts.error());
    return std::move(*mounts);
}

bool has_name_of(std::string_view node, const std::string& group) {
    const auto prefix = mapper_name(group, "");
    return node.size() > prefix.size() && node.starts_with(prefix) && node[prefix.size()] != '-';
}

std::expected<std::map<std::string, ActiveVolume>, Failure>
read_active(const Machine& machine, const std::string& group,
            const std::vector<std::string>& uuids) {
    return read_those(machine, [&](const Node& node) {
        return has_name_of(node.name, group) ||
               std::ranges::any_of(uuids, [&](const std::string& uuid) {
                   return mapper_group(node.uuid) == mapper_uuid(uuid);
               });
    });
}

std::expected<std::optional<ActiveVolume>, Failure> find_active(const Machine& machine,
                                                                const std::string& name) {
    auto active = read_those(machine, [&](const Node& node) { return node.name == name; });
    if (!active) return std::unexpected(active.error());
    if (active->empty()) return std::nullopt;
    return std::move(active->begin()->second);
}

} // namespace muster::lvm
