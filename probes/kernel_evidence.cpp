#include "probes/kernel_evidence.h"

#include <charconv>
#include <fmt/format.h>

#include "probes/kernel_log.h"
#include "probes/root_device.h"

namespace muster::probes {
namespace {

/// Something is not as it should be, and that is for people: it decides nothing.
Finding hint(std::string subject, std::string message) {
    auto finding = unknown("kernel", std::move(subject), std::move(message));
    finding.gating = false;
    return finding;
}

std::optional<Finding> of_the_log(Kernel& kernel) {
    const auto records = kernel.log_records();
    if (!records) return hint("log", records.error().message);
    const auto trouble = find_trouble(*records);
    if (trouble.empty()) return std::nullopt;
    std::string told;
    auto evidence = nlohmann::json::array();
    for (const auto& each : trouble) {
        told += fmt::format("{}{} ({} times)", told.empty() ? "" : ", ", each.what, each.count);
        evidence.push_back({{"what", each.what},
                            {"count", each.count},
                            {"first", each.first},
                            {"last", each.last},
                            {"sample", each.sample}});
    }
    auto finding = hint("log", "the kernel's log tells of " + told);
    finding.evidence = {{"records", std::move(evidence)}};
    return finding;
}

std::optional<Finding> of_root(const Files& files) {
    const auto mount = root_mount(files);
    const auto device = mount ? root_device(files, *mount) : std::nullopt;
    if (!device) return std::nullopt;
    const auto errors = files.read_value("/sys/fs/ext4/" + device->name + "/errors_count");
    if (!errors || *errors == "0") return std::nullopt;
    return hint("errors", fmt::format("ext4 on {} has counted {} errors; they stay counted until "
                                      "e2fsck has run",
                                      device->name, *errors));
}

std::optional<Finding> of_pressure(const Files& files) {
    const auto text = files.read("/proc/pressure/io");
    const auto pressure = text ? parse_pressure(*text) : std::nullopt;
    if (!pressure) return std::nullopt;
    auto finding = pass(
        "kernel", "pressure",
        fmt::format("for {:.0f} % of the last minute somebody waited for I/O", pressure->some));
    finding.gating = false;
    finding.evidence = {{"some_avg60", pressure->some}, {"full_avg60", pressure->full}};
    return finding;
}

} // namespace

std::optional<Pressure> parse_pressure(std::string_view text) {
    const auto share = [&](std::string_view kind) -> std::optional<double> {
        const auto line = text.find(kind);
        const auto end = std::min(text.find('\n', line == text.npos ? 0 : line), text.size());
        const auto key = line == text.npos ? line : text.find(" avg60=", line);
        if (key == text.npos || key >= end) return std::nullopt;
        const auto number = text.substr(key + 7, end - key - 7);
        double value = 0;
        const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(),
                                                   value, std::chars_format::fixed);
        const bool is_share = error == std::errc() && value >= 0 && value <= 100;
        return is_share ? std::optional(value) : std::nullopt;
    };
    const auto some = share("some ");
    const auto full = share("full ");
    if (!some || !full) return std::nullopt;
    return Pressure{*some, *full};
}

std::vector<Finding> kernel_evidence(const Files& files, Kernel& kernel) {
    std::vector<Finding> findings;
    for (auto& found : {of_the_log(kernel), of_root(files), of_pressure(files)}) {
        if (found) findings.push_back(*found);
    }
    return findings;
}

} // namespace muster::probes
