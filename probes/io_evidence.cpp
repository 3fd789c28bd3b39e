#include "probes/io_evidence.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "probes/ebs_stats.h"
#include "probes/ephemeral.h"

namespace muster::probes {
namespace {

/// The first number in a text, and the text behind it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

} // namespace

nlohmann::json io_evidence(const Files& files, Kernel& kernel, const std::string& name,
                           Deadline deadline) {
    auto evidence = nlohmann::json::object();
    // A partition has counters of its own, and its disk's queue.
    auto folder = "/sys/class/block/" + name;
    if (!files.exists(folder)) folder = "/sys/block/" + name;
    const auto disk = files.exists(folder + "/queue") ? folder : folder + "/..";
    // Nothing below queue/: whoever writes to one of these files while the disk hangs waits with a
    // lock that each read of them needs (q->sysfs_lock, to Linux 6.10). This is asked by the
    // process that reports, too, and that one must not hang.
    if (const auto counters = files.read_value(folder + "/inflight")) {
        std::string_view text = *counters;
        const auto reads = take_number(text);
        const auto writes = take_number(text);
        if (reads && writes) evidence["in_flight"] = {{"reads", *reads}, {"writes", *writes}};
    }
    if (files.read_value(disk + "/device/model").value_or("") != ebs_model) return evidence;
    const auto page = kernel.log_page("/dev/" + name, ebs_stats_page, ebs_stats_length, deadline);
    if (const auto stats = parse_ebs_stats(page.value_or(""))) {
        evidence["volume"] = {{"read_ops", stats->read_ops},
                              {"write_ops", stats->write_ops},
                              {"volume_exceeded_us", stats->volume_exceeded_us},
                              {"instance_exceeded_us", stats->instance_exceeded_us},
                              {"queue_length", stats->queue_length}};
    }
    return evidence;
}

} // namespace muster::probes
