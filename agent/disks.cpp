#include "agent/disks.h"

#include <algorithm>
#include <fmt/format.h>

#include "probes/block_devices.h"

namespace muster {
namespace {

// The kernel finds the disks of one controller within this of each other: a set that has stood so
// long is whole.
constexpr Duration stable_for = std::chrono::milliseconds(300);
// A driver that takes a controller is no event of a block device, and events can be lost.
constexpr Duration look_anyway = std::chrono::seconds(1);

std::string names_of(const std::vector<probes::KnownDisk>& disks) {
    std::string names;
    for (const auto& known : disks)
        names += (names.empty() ? "" : ", ") + known.disk.name;
    return names.empty() ? "none" : names;
}

/// Whether nothing but the mapping's names proves one of them.
bool is_by_name(const std::vector<probes::KnownDisk>& disks) {
    return std::ranges::any_of(disks, [](const auto& known) { return known.disk.model.empty(); });
}

lvm::Inventory inventory_of(const std::vector<probes::KnownDisk>& ephemeral,
                            const std::vector<Disk>& others) {
    lvm::Inventory inventory{.others = others};
    for (const auto& known : ephemeral)
        inventory.ephemeral.push_back({known.disk, known.evidence});
    return inventory;
}

/// What the owner calls a volume of his is none of ours, whatever the metadata say.
probes::Mapping with_owners_claims(probes::Mapping mapping, const Config& config) {
    if (!config.ebs) return mapping;
    for (const auto& volume : *config.ebs) {
        if (!volume.device) continue;
        constexpr std::string_view folder = "/dev/";
        mapping.emplace(
            std::string(probes::owners_claim) + volume.name,
            volume.device->substr(volume.device->starts_with(folder) ? folder.size() : 0));
    }
    return mapping;
}

} // namespace

DiskWait::DiskWait(const World& world, const Config& config, const probes::KnownMetadata& known,
                   Progress& progress, Deadline deadline)
    : world_(world), progress_(progress), known_(known),
      mapping_(with_owners_claims(known.mapping, config)),
      expectation_(config.ephemeral.expect.of(known.identity.instance_type)),
      start_(world.clock.now()), limit_(deadline.clipped(world.clock, config.ephemeral.deadline)),
      watch_(world.kernel.watch_blocks()), since_(start_) {}

std::vector<std::string> DiskWait::Seen::names() const {
    std::vector<std::string> names;
    for (const auto& disks : {&ephemeral, &doubtful}) {
        for (const auto& known : *disks)
            names.push_back(known.disk.name);
    }
    for (const auto& disk : others)
        names.push_back(disk.name);
    return names;
}

Result<DiskWait::Seen> DiskWait::look() {
    const auto disks = probes::read_disks(world_.files, world_.kernel);
    if (!disks) return fail(disks.error());
    const auto controllers = probes::read_controllers(world_.files);
    if (!controllers) return fail(controllers.error());
    ++polls_;
    Seen seen{.controllers = *controllers};
    for (auto& disk :
         probes::tell_origins(*disks, mapping_, probes::resolve_mapping(world_.kernel, mapping_),
                              known_.identity.instance_type)) {
        if (disk.origin == probes::Origin::instance_store) {
            seen.ephemeral.push_back(std::move(disk));
        } else if (disk.doubtful) {
            seen.doubtful.push_back(std::move(disk));
        } else {
            if (disk.mapped.starts_with("ephemeral")) {
                seen.left_alone.push_back(
                    fmt::format("{} is left alone: {}", disk.disk.node, disk.evidence));
            }
            seen.others.push_back(std::move(disk.disk));
        }
    }
    if (auto names = seen.names(); names != names_) {
        names_ = std::move(names);
        since_ = world_.clock.now();
    }
    return seen;
}

/// How many there must be. "any" is no number, but a controller without its disk is a disk that is
/// still to come.
std::size_t DiskWait::needed(const Seen& seen) const {
    return expectation_.kind == Expectation::Kind::any ? seen.controllers.instance_store
                                                       : expectation_.count;
}

bool DiskWait::is_whole(const Seen& seen) const {
    if (seen.ephemeral.size() < needed(seen) || !seen.doubtful.empty()) return false;
    // "any" has no number to wait for: there the set must stand still for a moment.
    return expectation_.kind != Expectation::Kind::any ||
           (seen.controllers.untaken == 0 && world_.clock.now() - since_ >= stable_for);
}

std::optional<lvm::Inventory> DiskWait::until_whole() {
    if (expectation_.kind == Expectation::Kind::none) return lvm::Inventory{};
    while (true) {
        const auto seen = look();
        if (!seen) {
            progress_.finding(probes::unknown("ephemeral", "disks", seen.error().message));
            return std::nullopt;
        }
        const bool done = is_whole(*seen);
        if (!done && !is_over()) {
            progress_.waiting(fmt::format("ephemeral disks: {} so far", seen->ephemeral.size()),
                              limit_.at);
            const Instant stable = since_ + stable_for;
            const Instant next = limit_.clipped(world_.clock, look_anyway).at;
            watch_->wait(stable > world_.clock.now() ? std::min(stable, next) : next);
            continue;
        }
        progress_.wait({.what = "ephemeral disks",
                        .seconds = seconds(world_.clock.now() - start_),
                        .polls = polls_,
                        .outcome = done ? "found" : "gave up"});
        note(*seen);
        if (done && too_many(*seen)) return std::nullopt;
        if (done) return inventory_of(seen->ephemeral, seen->others);
        report_not_whole(*seen);
        return std::nullopt;
    }
}

bool DiskWait::sees_none() {
    const auto seen = look();
    return seen && seen->ephemeral.empty() && seen->doubtful.empty() &&
           seen->controllers.instance_store == 0 && seen->controllers.untaken == 0;
}

void DiskWait::until_changed(const std::string& what) {
    const auto before = names_;
    while (!is_over() && names_ == before) {
        progress_.waiting(what, limit_.at);
        watch_->wait(limit_.clipped(world_.clock, look_anyway).at);
        if (!look()) return; // it is looked at once more, and said, by until_whole
    }
}

void DiskWait::report_not_whole(const Seen& seen) {
    for (const auto& known : seen.doubtful) {
        progress_.finding(
            probes::unknown("ephemeral", known.disk.name,
                            fmt::format("{} may be an ephemeral disk, and that can't be told: {}",
                                        known.disk.node, known.evidence)));
    }
    if (expectation_.kind == Expectation::Kind::any && seen.controllers.untaken > 0) {
        progress_.finding(probes::unknown(
            "ephemeral", "controllers",
            fmt::format("no driver has taken {} of the machine's NVMe controllers; they may be of "
                        "ephemeral disks (see the kernel log for \"nvme\")",
                        seen.controllers.untaken)));
    }
    if (seen.ephemeral.size() >= needed(seen)) {
        if (seen.doubtful.empty() && seen.controllers.untaken == 0) {
            progress_.finding(probes::unknown(
                "ephemeral", "disks",
                fmt::format(
                    "the set of ephemeral disks ({}) had not stood still for {:.1f} s when the "
                    "time was up, so there may be more of them",
                    names_of(seen.ephemeral), seconds(stable_for))));
        }
        return;
    }
    // With those that may be ephemeral there may be enough: then none is known to be missing.
    if (seen.ephemeral.size() + seen.doubtful.size() >= needed(seen)) return;
    progress_.finding(
        probes::failed("ephemeral", "disks", "ephemeral-missing",
                       fmt::format("{} ephemeral disks ({}) after {:.0f} s, expected {}; a new "
                                   "instance is quicker than waiting",
                                   seen.ephemeral.size(), names_of(seen.ephemeral),
                                   seconds(world_.clock.now() - start_), needed(seen))));
}

/// What changes no verdict, and should be known.
void DiskWait::note(const Seen& seen) {
    const auto tell = [&](const std::string& what) {
        auto finding = probes::pass("ephemeral", "disks", what);
        finding.gating = false;
        progress_.finding(finding);
    };
    for (const auto& text : seen.left_alone) {
        if (left_alone_.insert(text).second) tell(text);
    }
    if (is_more(seen) && !is_by_name(seen.ephemeral)) {
        tell(fmt::format("{} ephemeral disks ({}), expected {}: all are used",
                         seen.ephemeral.size(), names_of(seen.ephemeral), expectation_.count));
    }
}

bool DiskWait::is_more(const Seen& seen) const {
    return expectation_.kind == Expectation::Kind::exactly &&
           seen.ephemeral.size() > expectation_.count;
}

/// More than expected where names are the only proof: one may be a volume at the name of a disk
/// that the machine does not have, and which one it is can't be told.
bool DiskWait::too_many(const Seen& seen) {
    if (!is_more(seen) || !is_by_name(seen.ephemeral)) return false;
    progress_.finding(probes::failed(
        "ephemeral", "disks", "ephemeral-foreign-data",
        fmt::format(
            "{} disks ({}) have the names of ephemeral disks, expected {}: one may be an EBS "
            "volume, so none is used; name the volumes under `ebs`, or correct "
            "`ephemeral.expect`",
            seen.ephemeral.size(), names_of(seen.ephemeral), expectation_.count)));
    return true;
}

} // namespace muster
