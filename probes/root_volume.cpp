#include "probes/root_volume.h"

#include <fmt/format.h>

#include "probes/root_device.h"

namespace muster::probes {
namespace {

Finding probe_mount(const Files& files) {
    const auto root = root_mount(files);
    if (!root) return unknown("root", "mount", root.error().message);
    if (root->read_only) {
        return failed(
            "root", "mount", "root-read-only",
            fmt::format("/ ({} on {}) is mounted read-only, expected read-write; the kernel "
                        "does so after an I/O error",
                        root->filesystem, root->source));
    }
    auto finding = pass("root", "mount", "/ is mounted read-write");
    finding.evidence = {{"source", root->source}, {"filesystem", root->filesystem}};
    return finding;
}

Finding room(std::string subject, std::uint64_t free, std::uint64_t whole, const Share& least) {
    const auto wanted = least.of(whole);
    const auto message =
        fmt::format("/ has {} of {} {} free, expected {} at least", free, whole, subject, wanted);
    auto finding = free < wanted ? failed("root", subject, "root-full", message)
                                 : pass("root", subject, message);
    finding.evidence = {{"free", free}, {"size", whole}};
    return finding;
}

} // namespace

std::vector<Finding> probe_root(const Files& files, Kernel& kernel, Clock& clock,
                                const RootLimits& limits, Deadline deadline) {
    std::vector<Finding> findings{probe_mount(files)};
    const auto space = kernel.space("/", deadline.clipped(clock, limits.io_deadline));
    if (!space) {
        const auto& [code, message] = space.error();
        findings.push_back(code == Errc::stuck ? failed("root", "space", "root-stuck", message)
                           : code == Errc::io  ? failed("root", "space", "root-io-error", message)
                                               : unknown("root", "space", message));
        return findings;
    }
    findings.push_back(room("bytes", space->bytes_free, space->bytes, limits.min_free));
    // Some filesystems (btrfs, hostfs) make inodes as they go and count none.
    if (space->inodes > 0) {
        findings.push_back(
            room("inodes", space->inodes_free, space->inodes, limits.min_free_inodes));
    }
    return findings;
}

} // namespace muster::probes
