// A machine's /sys/block, /proc/self/mountinfo and /proc/swaps in a folder of the test's own.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "agent/sys/kernel.h"
#include "tests/fakes/fake_tree.h"

namespace muster {

class FakeSysfs {
  public:
    struct Spec {
        std::string name;
        DeviceNumber number;
        std::uint64_t size = std::uint64_t{1} << 30;
        std::string model;  ///< "": the disk has none
        std::string serial; ///< "": the disk has none
        bool read_only = false;
    };

    /// `kept`: the folder is handed on to the next one that is kept, for a test of thousands of
    /// machines. Then nothing else writes there.
    explicit FakeSysfs(bool kept = false) : tree_(FakeTree::take(kept)) {
        folder("/sys/block");
        put("/proc/self/mountinfo", mountinfo_);
        put("/proc/swaps", swaps_);
    }
    ~FakeSysfs() { FakeTree::give_back(std::move(tree_)); }
    FakeSysfs(const FakeSysfs&) = delete;
    FakeSysfs& operator=(const FakeSysfs&) = delete;

    [[nodiscard]] const Files& files() const { return tree_->files(); }

    void put(std::string_view path, std::string_view content) { tree_->put(path, content); }
    /// A folder in the attribute's place: reading it is an error that is not "absent".
    void spoil(std::string_view path) {
        drop(path);
        folder(path);
    }
    void drop(std::string_view path) { tree_->drop(path); }
    void folder(std::string_view path) { tree_->folder(path); }
    void link(std::string_view path, const std::string& target) { tree_->link(path, target); }

    void disk(const Spec& spec) {
        const auto at = "/sys/block/" + spec.name;
        put(at + "/size", fmt::format("{}\n", spec.size / 512));
        put(at + "/ro", spec.read_only ? "1\n" : "0\n");
        put(at + "/dev", fmt::format("{}:{}\n", spec.number.major, spec.number.minor));
        put(at + "/queue/logical_block_size", "512\n");
        folder(at + "/holders");
        folder(at + "/slaves");
        // As the kernel pads them.
        if (!spec.model.empty()) put(at + "/device/model", fmt::format("{:<40}\n", spec.model));
        if (!spec.serial.empty()) put(at + "/device/serial", fmt::format("{:<20}\n", spec.serial));
    }

    /// As /sys/dev/block and /sys/class/block show it.
    void block(DeviceNumber number, const std::string& name, std::uint64_t size) {
        put("/sys/class/block/" + name + "/size", fmt::format("{}\n", size / 512));
        tree_->link(fmt::format("/sys/dev/block/{}:{}", number.major, number.minor),
                    "../../class/block/" + name);
    }

    void partition(const std::string& disk, const std::string& name, DeviceNumber number) {
        const auto at = "/sys/block/" + disk + "/" + name;
        put(at + "/partition", "1\n");
        put(at + "/dev", fmt::format("{}:{}\n", number.major, number.minor));
        folder(at + "/holders");
    }

    /// `of`: "nvme1n1" or "nvme1n1/nvme1n1p1"
    void holder(const std::string& of, const std::string& name) {
        folder("/sys/block/" + of + "/holders/" + name);
    }

    void mount(DeviceNumber number, const std::string& target, const std::string& options = "rw",
               const std::string& root = "/", const std::string& filesystem = "ext4",
               const std::string& super = "rw") {
        mountinfo_ +=
            fmt::format("{} 1 {}:{} {} {} {} shared:1 - {} /dev/root {}\n", ++mounts_, number.major,
                        number.minor, root, target, options, filesystem, super);
        if (!remounting_) put("/proc/self/mountinfo", mountinfo_);
    }
    /// What `mounts` mounts, and nothing else; written once, and only where it differs.
    template <class F>
    void remount(F mounts) {
        const auto before = std::exchange(mountinfo_, "");
        mounts_ = 20;
        remounting_ = true;
        mounts();
        remounting_ = false;
        if (mountinfo_ != before) put("/proc/self/mountinfo", mountinfo_);
    }
    /// As a process sees it that is in another mount namespace.
    void mount_elsewhere(int process, DeviceNumber number, const std::string& target) {
        const auto folder = fmt::format("/proc/{}/", process);
        put(folder + "mountinfo", fmt::format("30 1 {}:{} / {} rw shared:1 - ext4 /dev/x rw\n",
                                              number.major, number.minor, target));
        tree_->link(folder + "ns/mnt", fmt::format("mnt:[{}]", 4026530000 + process));
    }
    void forget_mounts() {
        mountinfo_.clear();
        put("/proc/self/mountinfo", "");
    }

    void swap(const std::string& path, const std::string& kind = "partition") {
        swaps_ += fmt::format("{}\t{}\t1024\t0\t-2\n", path, kind);
        put("/proc/swaps", swaps_);
    }

  private:
    std::unique_ptr<FakeTree> tree_;
    std::string mountinfo_;
    std::string swaps_ = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    int mounts_ = 20;
    bool remounting_ = false;
};

} // namespace muster
