#include "lvm/room.h"

#include <algorithm>
#include <fmt/format.h>

#include "lvm/tool.h"

namespace muster::lvm {
namespace {

using Extents = std::uint64_t;

std::string mebibytes(std::uint64_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

const VolumeLayout* layout_of(const GroupLayout& layout, const std::string& name) {
    const auto found = std::ranges::find(layout.volumes, name, &VolumeLayout::name);
    return found == layout.volumes.end() ? nullptr : &*found;
}

/// The group's extents, disk by disk: a stripe must find its share on each of them.
class Disks {
  public:
    explicit Disks(const VolumeGroup& group) {
        for (const auto& disk : group.physical) {
            all_.push_back(disk.extents);
            free_.push_back(disk.extents - std::min(disk.extents, disk.used_extents));
        }
    }
    [[nodiscard]] std::size_t count() const { return free_.size(); }
    [[nodiscard]] Extents total() const { return sum(all_); }
    [[nodiscard]] Extents free() const { return sum(free_) + elsewhere_; }
    [[nodiscard]] Extents least_free() const { return least(free_); }
    /// That one volume could have, of the whole group or of what is free.
    [[nodiscard]] Extents most(unsigned stripes) const {
        return stripes == 1 ? total() : stripes * least(all_);
    }
    [[nodiscard]] Extents most_free(unsigned stripes) const {
        return stripes == 1 ? free() : stripes * least_free() + elsewhere_;
    }
    /// A volume goes before the new ones are made. Where a linear one lies is not known here.
    void give_back(Extents extents, unsigned stripes) {
        if (stripes != count()) {
            elsewhere_ += extents;
            return;
        }
        for (auto& disk : free_)
            disk += extents / stripes;
    }
    void take(Extents extents, unsigned stripes) {
        for (auto& disk : free_) {
            const auto part = std::min(disk, stripes == 1 ? extents : extents / stripes);
            disk -= part;
            if (stripes == 1) extents -= part;
        }
    }

  private:
    static Extents sum(const std::vector<Extents>& disks) {
        Extents all = 0;
        for (const auto disk : disks)
            all += disk;
        return all;
    }
    static Extents least(const std::vector<Extents>& disks) {
        return disks.empty() ? 0 : *std::ranges::min_element(disks);
    }

    std::vector<Extents> all_;
    std::vector<Extents> free_;
    Extents elsewhere_ = 0; ///< free, on whichever disks
};

class Room {
  public:
    Room(const Situation& situation, const VolumeGroup& group, Plan& plan)
        : layout_(situation.layout), group_(group), plan_(plan), disks_(group) {}

    void check() {
        for (const auto& logical : group_.logical) {
            const auto* wanted = layout_of(layout_, logical.name);
            if (wanted == nullptr) {
                has_others_ = true;
                if (is_made_by_us(logical)) is_changed_ = true;
            } else if (is_unfinished(logical)) {
                disks_.give_back(extents_of(logical), logical.stripes);
            } else {
                compare(*wanted, logical);
            }
        }
        for (const auto& volume : layout_.volumes) {
            if (!is_there(volume.name)) make_room(volume);
        }
    }

  private:
    [[nodiscard]] Extents extents_of(const LogicalVolume& logical) const {
        return logical.size / std::max<Extents>(group_.extent_size, 1);
    }

    [[nodiscard]] bool is_there(const std::string& name) const {
        const auto found = std::ranges::find(group_.logical, name, &LogicalVolume::name);
        return found != group_.logical.end() && !is_unfinished(*found);
    }

    [[nodiscard]] unsigned stripes_of(const VolumeLayout& volume) const {
        return volume.layout == Layout::striped ? static_cast<unsigned>(disks_.count()) : 1;
    }

    /// As lvcreate counts: a share is rounded down to whole stripes, an amount up.
    [[nodiscard]] Extents asked(const VolumeLayout& volume) const {
        const Extents stripes = std::max(stripes_of(volume), 1U);
        if (const auto* percent = std::get_if<Percent>(&volume.size)) {
            const auto share = disks_.total() * percent->value / 100 / stripes * stripes;
            return std::clamp(share, stripes, std::max(stripes, disks_.most(stripes_of(volume))));
        }
        const auto stripe = stripes * std::max<Extents>(group_.extent_size, 1);
        return (std::get<std::uint64_t>(volume.size) + stripe - 1) / stripe * stripes;
    }

    /// On a new group lvcreate makes less of a share than it comes to, where the disks differ in
    /// size. A power cut may have come in between; then it is to make the rest likewise.
    [[nodiscard]] Extents needed(const VolumeLayout& volume) const {
        const auto* percent = std::get_if<Percent>(&volume.size);
        const bool exactly = percent == nullptr || is_changed_ ||
                             (has_others_ && percent->value < 100); // the rest is what is left
        return exactly ? asked(volume) : std::max(stripes_of(volume), 1U);
    }

    void compare(const VolumeLayout& wanted, const LogicalVolume& logical) {
        const auto has = extents_of(logical);
        const auto wants = asked(wanted);
        const auto* bytes = std::get_if<std::uint64_t>(&wanted.size);
        const bool is_rest = bytes == nullptr && std::get<Percent>(wanted.size).value == 100;
        const auto rounding = static_cast<Extents>(disks_.count());
        if (bytes != nullptr && logical.size < *bytes) {
            refuse_small(wanted, logical, *bytes);
        } else if (!is_rest && has > wants + rounding) {
            is_changed_ = true;
            note_size(logical, wants);
        } else if (!is_rest && has + rounding < wants) {
            note_size(logical, wants);
        }
        const bool is_striped = logical.stripes > 1;
        if (disks_.count() > 1 && is_striped != (wanted.layout == Layout::striped)) {
            plan_.notes.push_back(fmt::format(
                "the volume {} is {}striped, other than the configuration wants it now: it is left "
                "as it is",
                logical.name, is_striped ? "" : "not "));
        }
    }

    void note_size(const LogicalVolume& logical, Extents wants) {
        plan_.notes.push_back(fmt::format("the volume {} has {}, the configuration wants {} now: "
                                          "it is left as it is",
                                          logical.name, mebibytes(logical.size),
                                          mebibytes(wants * group_.extent_size)));
    }

    void refuse(const std::string& volume, std::string message) {
        plan_.refusals.push_back({volume, "layout-changed", std::move(message)});
    }

    void refuse_small(const VolumeLayout& wanted, const LogicalVolume& logical,
                      std::uint64_t bytes) {
        refuse(wanted.name,
               fmt::format("the volume {0} has {1}, the configuration wants {2} now: go back to "
                           "the old size, or enlarge it (`lvextend --resizefs --size {3}b "
                           "{4}/{0}`), or, if nothing on it is needed, `lvremove {4}/{0}` lets the "
                           "next run make it anew",
                           wanted.name, mebibytes(logical.size), mebibytes(bytes), bytes,
                           group_.name));
    }

    void make_room(const VolumeLayout& volume) {
        const auto stripes = stripes_of(volume);
        const auto most = disks_.most_free(stripes);
        const auto least = needed(volume);
        if (most >= least)
            return disks_.take(std::min(std::max(least, asked(volume)), most), stripes);
        refuse(volume.name,
               fmt::format("the volume {0} cannot be made: volume group {1}: it takes {2} extents "
                           "of {3}, {4}, and {5} are free{6}; go back to the old "
                           "ephemeral.volumes, or give a renamed volume its name back (`lvrename "
                           "{1} NAME {0}`), or, if nothing on one is needed, `lvremove {1}/NAME` "
                           "makes room",
                           volume.name, group_.name, least, mebibytes(group_.extent_size),
                           stripes > 1 ? fmt::format("striped over {} disks", stripes) : "linear",
                           free_words(stripes), held_words()));
    }

    [[nodiscard]] std::string free_words(unsigned stripes) const {
        if (stripes == 1 || disks_.free() == 0) return fmt::format("{}", disks_.free());
        return fmt::format("{}, {} of them on one disk,", disks_.free(), disks_.least_free());
    }

    [[nodiscard]] std::string held_words() const {
        std::string text;
        for (const auto& logical : group_.logical) {
            text += fmt::format("{}{} of {}", text.empty() ? " beside " : ", ", logical.name,
                                mebibytes(logical.size));
        }
        return text;
    }

    const GroupLayout& layout_;
    const VolumeGroup& group_;
    Plan& plan_;
    Disks disks_;
    bool has_others_ = false; ///< volumes that the layout does not have
    bool is_changed_ = false; ///< and some that an earlier layout had, or larger ones
};

} // namespace

void check_room(const Situation& situation, const VolumeGroup& group, Plan& plan) {
    Room(situation, group, plan).check();
}

} // namespace muster::lvm
