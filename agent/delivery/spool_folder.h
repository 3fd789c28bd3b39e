// One folder of the spool: a file for each report and sink. Plain file operations, which hang where
// the disk does: see FarSpool for a folder on a disk.
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
    bool far = false;    ///< it is, or may be, where it survives a reboot
    bool unkept = false; ///< it is in memory alone: nobody else can have sent it
};

struct SpoolContent {
    std::vector<SpoolEntry> entries;
    std::vector<std::string> unusable;     ///< names of files that can't be understood
    std::vector<std::string> unusable_far; ///< likewise, in the far folder
    std::vector<Error> unread;             ///< what could not be read, and so may hold a verdict
};

/// What a spool may hold. Past that, what nobody waits for any more makes room for the new one.
struct SpoolBounds {
    std::size_t entries = 200;
    std::size_t bytes = 4 << 20;
};

class SpoolFolder {
  public:
    SpoolFolder(const Files& files, std::string path, SpoolBounds bounds = {})
        : files_(files), path_(std::move(path)), bounds_(bounds) {}

    /// Whole and synced, or not at all. What a writer that was killed has left goes. Where the
    /// folder is full, first what is no verdict goes, then what is of another boot, the oldest
    /// first: the names of what had to go.
    [[nodiscard]] Result<std::vector<std::string>> put(const SpoolEntry& entry) const;
    /// No error where it is not there.
    [[nodiscard]] Result<void> drop(const std::string& name) const;
    [[nodiscard]] SpoolContent read() const;
    [[nodiscard]] bool has(const std::string& name) const;

  private:
    [[nodiscard]] bool has_room_for(const std::string& name, std::size_t bytes) const;
    [[nodiscard]] std::vector<std::string> make_room(const SpoolEntry& entry,
                                                     std::size_t bytes) const;

    Files files_;
    std::string path_; ///< with a slash at its end
    SpoolBounds bounds_;
};

/// In the order (boot, sequence), the boot `last` after all others: the wall clock tells boots
/// apart in time, but may be wrong at the start of one, or set in the middle of it.
void sort_entries(std::vector<SpoolEntry>& entries, const std::string& last = "");

/// What a report says it is: "ready", "notice"; "" where that can't be told.
[[nodiscard]] std::string outcome_of(const std::string& body);
/// Also of what can't be told: then the careful reading is that a scaler might act on it.
[[nodiscard]] bool is_verdict(const std::string& outcome);

} // namespace muster
