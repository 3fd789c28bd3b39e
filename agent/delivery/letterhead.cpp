#include "agent/delivery/letterhead.h"

#include <algorithm>
#include <cstdlib>

#include "agent/delivery/spool.h"
#include "probes/witnesses.h"

namespace muster {
namespace {

double read_uptime(const Files& files) {
    return std::strtod(files.read_value("/proc/uptime").value_or("0").c_str(), nullptr);
}

} // namespace

Letterhead::Letterhead(const Files& files, const Clock& clock)
    : files_(files), clock_(clock), uptime_at_start_(read_uptime(files)),
      boot_id_(files.read_value("/proc/sys/kernel/random/boot_id").value_or("unknown")) {}

ReportHead Letterhead::next(Mode mode) {
    // Where the number can't be kept it still goes on: the receiver drops one that it has seen.
    sequence_ = std::max(next_sequence(files_), sequence_ + 1);
    return {.boot_id = boot_id_,
            .sequence = sequence_,
            .time = clock_.wall(),
            .uptime_at_start = uptime_at_start_,
            .enforced = mode == Mode::enforce};
}

Record record_by_firmware(const Files& files) {
    Record record;
    const auto id = probes::firmware_instance_id(files);
    if (!id.empty()) record.instance = {.id = id, .source = "dmi"};
    return record;
}

} // namespace muster
