// Waits for the machine's disks.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/record.h"
#include "agent/world.h"
#include "lvm/survey.h"
#include "probes/controllers.h"
#include "probes/ephemeral.h"
#include "probes/metadata.h"

namespace muster {

class DiskWait {
  public:
    /// The wait ends `ephemeral.deadline` from now, or at `deadline`.
    DiskWait(const World& world, const Config& config, const probes::KnownMetadata& known,
             Progress& progress, Deadline deadline);

    /// The disks, once there are as many ephemeral ones as expected and the set stands still;
    /// nothing where there are too few at the end, which is a finding.
    [[nodiscard]] std::optional<lvm::Inventory> until_whole();

    /// Returns when there are other disks than at the last look, or at the end of the wait. `what`
    /// is waited for, for a person.
    void until_changed(const std::string& what);

    /// The machine has no instance-store disk, none that may be one and none that is still to come;
    /// what the configuration expects is not asked.
    [[nodiscard]] bool sees_none();

    [[nodiscard]] bool is_over() const { return limit_.passed(world_.clock); }

  private:
    /// One look at the disks of the machine.
    struct Seen {
        std::vector<probes::KnownDisk> ephemeral;
        std::vector<probes::KnownDisk> doubtful; ///< may be ephemeral, and nobody can tell
        std::vector<Disk> others;
        std::vector<std::string> left_alone; ///< what the mapping calls ephemeral in vain
        probes::Controllers controllers;
        [[nodiscard]] std::vector<std::string> names() const;
    };

    [[nodiscard]] Result<Seen> look();
    [[nodiscard]] std::size_t needed(const Seen& seen) const;
    [[nodiscard]] bool is_whole(const Seen& seen) const;
    /// `expect` is an exact number, and there are more disks.
    [[nodiscard]] bool is_more(const Seen& seen) const;
    [[nodiscard]] bool too_many(const Seen& seen);
    void report_not_whole(const Seen& seen);
    void note(const Seen& seen);

    const World& world_;
    Progress& progress_;
    const probes::KnownMetadata& known_;
    const probes::Mapping mapping_; ///< with what the owner says of his own volumes
    Expectation expectation_;
    Instant start_;
    Deadline limit_;
    std::unique_ptr<BlockWatch> watch_;
    std::set<std::string> left_alone_; ///< what was said of them
    std::vector<std::string> names_;   ///< of all disks, at the last look
    Instant since_;                    ///< when these were first all there was
    unsigned polls_ = 0;
};

} // namespace muster
