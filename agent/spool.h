// Verdicts that have not been delivered yet: /run/muster/spool, one file for each report and sink.
#pragma once

#include <string>
#include <vector>

#include "agent/sinks/sink.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"
#include "agent/sys/result.h"

namespace muster {

struct SpoolEntry {
    std::string name; ///< of its file
    std::string sink;
    std::string boot_id;
    unsigned sequence = 0;
    WallTime time{}; ///< when the report was made
    Message message;
};

class Spool {
  public:
    explicit Spool(const Files& files) : files_(files) {}

    /// On the disk before the first try, so that a kill in the middle of it loses nothing.
    [[nodiscard]] Result<void> put(const SpoolEntry& entry) const;
    /// The same, where it can't be helped if that fails: it is logged, and the report is sent from
    /// memory.
    void keep(const SpoolEntry& entry) const;
    void drop(const std::string& name) const;

    struct Content {
        std::vector<SpoolEntry> entries;   ///< in the order (boot, sequence)
        std::vector<std::string> unusable; ///< names of files that can't be understood
        std::vector<Error> unread;         ///< what could not be read, and so may hold a verdict
    };
    [[nodiscard]] Content read() const;

    /// "BOOT-SEQUENCE-SINK.json"
    [[nodiscard]] static std::string name_of(const std::string& boot_id, unsigned sequence,
                                             const std::string& sink);

  private:
    const Files& files_;
};

/// The next sequence number of this boot, kept in /run/muster/sequence. `run` and `watch` may ask
/// at once: no two get the same.
[[nodiscard]] unsigned next_sequence(const Files& files);

} // namespace muster
