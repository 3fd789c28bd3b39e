#include "agent/sys/kernel.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/sys/blocks.h"
#include "agent/sys/disk_calls.h"
#include "agent/sys/disk_content.h"
#include "agent/sys/file_probe.h"
#include "agent/sys/kernel_log.h"
#include "agent/sys/nvme.h"
#include "agent/sys/outstanding.h"
#include "agent/sys/path_calls.h"
#include "agent/sys/quiet_nodes.h"
#include "agent/sys/wire.h"

namespace muster {

namespace {

using wire::Json;

// In the helper: each takes its argument from JSON and gives its result back so.

Result<Json> do_read_blocks(const Json& argument) {
    auto source = open_blocks(argument.at("node").get<std::string>());
    if (!source) {
        return fail(std::move(source.error()));
    }
    const auto slowest = read_at(*source, argument.at("offsets").get<std::vector<std::uint64_t>>(),
                                 argument.at("length").get<std::uint32_t>());
    if (!slowest) {
        return fail(slowest.error());
    }
    return Json(slowest->count());
}

Result<Json> do_write(const Json& argument) {
    std::optional<DeviceNumber> on;
    if (argument.contains("major")) {
        on = {argument.at("major").get<std::uint32_t>(), argument.at("minor").get<std::uint32_t>()};
    }
    const auto took = write_and_read_back(argument.at("folder").get<std::string>(), on);
    if (!took) {
        return fail(took.error());
    }
    return Json(took->count());
}

Result<Json> do_log_page(const Json& argument) {
    auto bytes = read_log_page(argument.at("node").get<std::string>(),
                               argument.at("page").get<std::uint8_t>(),
                               argument.at("length").get<std::uint32_t>());
    if (!bytes) {
        return fail(std::move(bytes.error()));
    }
    return Json(std::move(*bytes));
}

Result<Json> do_is_claimed(const Json& argument) {
    const auto opened = open_exclusively(argument.at("node").get<std::string>(), O_RDONLY);
    if (!opened) {
        return fail(opened.error());
    }
    return Json(!*opened);
}

Result<Json> do_volume_group(const Json& argument) {
    const auto group = read_volume_group(argument.at("node").get<std::string>());
    if (!group) {
        return fail(group.error());
    }
    return Json(*group);
}

Result<Json> do_identify(const Json& argument) {
    auto bytes = identify_controller(argument.at("node").get<std::string>());
    if (!bytes) {
        return fail(std::move(bytes.error()));
    }
    return Json(std::move(*bytes));
}

/// The function that isolate wants, for one of the above.
template <Result<Json> (*work)(const Json&)>
std::string serve(std::string_view argument) {
    return wire::serve(argument, work);
}

class IsolatedIo : public PendingIo {
  public:
    IsolatedIo(std::string what, std::shared_ptr<IsolatedCall> call)
        : what_(std::move(what)), call_(std::move(call)) {}

    [[nodiscard]] bool ended(Deadline deadline) override { return call_->ready(deadline); }

    [[nodiscard]] Result<Duration> result() override {
        const auto answer = wire::finish(*call_, Deadline{});
        if (!answer) {
            return fail(answer.error(), what_);
        }
        return Duration(answer->get<Duration::rep>());
    }

  private:
    std::string what_;
    std::shared_ptr<IsolatedCall> call_;
};

class LinuxKernel : public Kernel {
  public:
    LinuxKernel(const Clock& clock, Isolate& isolate)
        : clock_(clock), isolate_(isolate), calls_(isolate) {}

    [[nodiscard]] Result<DeviceNumber> block_device(std::string_view node) override {
        const auto found = device_node(node);
        if (!found) {
            return fail(found.error());
        }
        return found->number;
    }

    [[nodiscard]] Result<DeviceNode> device_node(std::string_view node) override {
        const std::string path(node);
        struct stat status{};
        // Not isolated: nodes are in /dev, which is memory (devtmpfs), and stat does not ask the
        // device.
        if (::lstat(path.c_str(), &status) != 0) {
            return fail_errno(errno, path);
        }
        const bool link = S_ISLNK(status.st_mode);
        if (link && ::stat(path.c_str(), &status) != 0) {
            return fail_errno(errno, path);
        }
        if (!S_ISBLK(status.st_mode)) {
            return fail(Errc::malformed, path + " is no block device");
        }
        return DeviceNode{{gnu_dev_major(status.st_rdev), gnu_dev_minor(status.st_rdev)}, link};
    }

    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_read(std::string_view node, const std::vector<std::uint64_t>& offsets,
               std::uint32_t length) override {
        return start("reading " + std::string(node), serve<do_read_blocks>,
                     Json{{"node", node}, {"offsets", offsets}, {"length", length}});
    }

    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start_write(std::string_view folder, std::optional<DeviceNumber> on) override {
        Json what{{"folder", folder}};
        if (on) {
            what["major"] = on->major;
            what["minor"] = on->minor;
        }
        return start("writing a file in " + std::string(folder), serve<do_write>, what);
    }

    [[nodiscard]] Result<DiskContent> content(std::string_view node, Deadline deadline) override {
        const auto answer = calls_.ask("looking for signatures on " + std::string(node),
                                       serve<do_content>, Json{{"node", node}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return to_content(*answer);
    }

    [[nodiscard]] Result<bool> is_claimed(std::string_view node, Deadline deadline) override {
        const auto answer = calls_.ask("asking who uses " + std::string(node), serve<do_is_claimed>,
                                       Json{{"node", node}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return answer->get<bool>();
    }

    [[nodiscard]] Result<Openers> openers(const std::vector<DeviceNumber>& devices,
                                          Deadline deadline) override {
        constexpr Duration limit = std::chrono::seconds(10);
        if (!beyond_dev_hangs_) {
            auto all = find_openers(devices, false, deadline.clipped(clock_, limit));
            if (all || all.error().code != Errc::stuck) {
                return all;
            }
            beyond_dev_hangs_ = true;
        }
        return find_openers(devices, true, deadline);
    }

    [[nodiscard]] Result<Wiped> wipe(const WipeRequest& request, Deadline deadline) override {
        const auto answer =
            calls_.ask("wiping " + request.node, serve<do_wipe>, from_wipe(request), deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return static_cast<Wiped>(answer->get<int>());
    }

    [[nodiscard]] Result<std::string> volume_group(std::string_view node,
                                                   Deadline deadline) override {
        const auto answer = calls_.ask("looking for an LVM label on " + std::string(node),
                                       serve<do_volume_group>, Json{{"node", node}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return answer->get<std::string>();
    }

    [[nodiscard]] Result<std::string> identify(std::string_view node, Deadline deadline) override {
        const auto answer = calls_.ask("identifying " + std::string(node), serve<do_identify>,
                                       Json{{"node", node}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return answer->get<std::string>();
    }

    [[nodiscard]] Result<std::string> log_page(std::string_view node, std::uint8_t page,
                                               std::uint32_t length, Deadline deadline) override {
        const auto answer =
            calls_.ask("asking " + std::string(node) + " for a log page", serve<do_log_page>,
                       Json{{"node", node}, {"page", page}, {"length", length}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return answer->get<std::string>();
    }

    [[nodiscard]] Result<std::vector<std::string>> log_records() override {
        return read_kernel_log("/dev/kmsg");
    }

    [[nodiscard]] Result<Space> space(std::string_view path, Deadline deadline) override {
        const auto answer = calls_.ask("asking for the space of " + std::string(path),
                                       serve<do_space>, Json{{"path", path}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return Space{answer->at("bytes").get<std::uint64_t>(),
                     answer->at("bytes_free").get<std::uint64_t>(),
                     answer->at("inodes").get<std::uint64_t>(),
                     answer->at("inodes_free").get<std::uint64_t>()};
    }

    [[nodiscard]] Result<std::vector<FolderEntry>> folder(std::string_view path,
                                                          Deadline deadline) override {
        const auto answer = calls_.ask("looking into " + std::string(path), serve<do_folder>,
                                       Json{{"path", path}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        std::vector<FolderEntry> entries;
        for (const auto& entry : *answer) {
            entries.push_back(to_entry(entry));
        }
        return entries;
    }

    [[nodiscard]] Result<void> make_quiet_nodes(const std::vector<Disk>& disks) override {
        return muster::make_quiet_nodes(std::string(quiet_nodes), disks);
    }

    void drop_quiet_nodes() override {
        muster::drop_quiet_nodes(std::string(quiet_nodes), "/sys/dev/block");
    }

    [[nodiscard]] std::unique_ptr<BlockWatch> watch_blocks() override {
        return watch_block_devices();
    }

    [[nodiscard]] Result<MountPoint> mount_point(std::string_view target,
                                                 Deadline deadline) override {
        const auto answer = calls_.ask("looking at the mount point " + std::string(target),
                                       serve<do_mount_point>, Json{{"target", target}}, deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return to_mount_point(*answer);
    }

    [[nodiscard]] Result<void> mount(const MountRequest& request, Deadline deadline) override {
        const auto answer = wire::call(isolate_, serve<do_mount>,
                                       Json{{"source", request.source},
                                            {"target", request.target},
                                            {"filesystem", request.filesystem},
                                            {"options", request.options},
                                            {"mode", request.mode},
                                            {"owner", request.owner}},
                                       deadline);
        if (!answer) {
            return fail(answer.error(), "mounting " + request.target);
        }
        return {};
    }

  private:
    [[nodiscard]] Result<std::unique_ptr<PendingIo>>
    start(const std::string& what, IsolatedFunction function, const Json& argument) {
        auto call = calls_.start(what, function, argument);
        if (!call) {
            return fail(call.error());
        }
        return std::make_unique<IsolatedIo>(what, std::move(*call));
    }

    [[nodiscard]] Result<Openers> find_openers(const std::vector<DeviceNumber>& devices,
                                               bool only_dev, Deadline deadline) {
        const auto answer =
            calls_.ask(only_dev ? "looking for what has disks open, by nodes in /dev"
                                : "looking for what has disks open",
                       serve<do_openers>, from_devices(devices, only_dev), deadline);
        if (!answer) {
            return fail(answer.error());
        }
        return to_openers(*answer);
    }

    const Clock& clock_;
    Isolate& isolate_;
    Outstanding calls_;
    std::atomic<bool> beyond_dev_hangs_ = false;
};

} // namespace

std::unique_ptr<Kernel> make_kernel(const Clock& clock, Isolate& isolate) {
    return std::make_unique<LinuxKernel>(clock, isolate);
}

} // namespace muster
