// A machine's /sys/block, /proc/self/mountinfo and /proc/swaps in a folder of the test's own.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <string_view>

#include "agent/sys/files.h"
#include "agent/sys/kernel.h"
#include "tests/catch.h"

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

    FakeSysfs() {
        // In memory where that can be: thousands of small trees are built.
        std::string name = std::filesystem::exists("/dev/shm") ? "/dev/shm/muster-sysfs.XXXXXX"
                                                               : "/tmp/muster-sysfs.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = name;
        files_ = Files(root_);
        std::filesystem::create_directories(root_ / "sys/block");
        put("/proc/self/mountinfo", mountinfo_);
        put("/proc/swaps", swaps_);
    }
    ~FakeSysfs() { std::filesystem::remove_all(root_); }
    FakeSysfs(const FakeSysfs&) = delete;
    FakeSysfs& operator=(const FakeSysfs&) = delete;

    [[nodiscard]] const Files& files() const { return files_; }

    void put(std::string_view path, std::string_view content) {
        const auto file = files_.real(path);
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
    }
    /// A folder in the attribute's place: reading it is an error that is not "absent".
    void spoil(std::string_view path) {
        drop(path);
        std::filesystem::create_directories(files_.real(path));
    }
    void drop(std::string_view path) { std::filesystem::remove_all(files_.real(path)); }
    void folder(std::string_view path) { std::filesystem::create_directories(files_.real(path)); }

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
        folder("/sys/dev/block");
        std::filesystem::create_symlink(
            "../../class/block/" + name,
            files_.real(fmt::format("/sys/dev/block/{}:{}", number.major, number.minor)));
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
        put("/proc/self/mountinfo", mountinfo_);
    }
    /// As a process sees it that is in another mount namespace.
    void mount_elsewhere(int process, DeviceNumber number, const std::string& target) {
        const auto folder = fmt::format("/proc/{}/", process);
        put(folder + "mountinfo", fmt::format("30 1 {}:{} / {} rw shared:1 - ext4 /dev/x rw\n",
                                              number.major, number.minor, target));
        std::filesystem::create_directories(files_.real(folder + "ns"));
        std::filesystem::create_symlink(fmt::format("mnt:[{}]", 4026530000 + process),
                                        files_.real(folder + "ns/mnt"));
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
    std::filesystem::path root_;
    Files files_;
    std::string mountinfo_;
    std::string swaps_ = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    int mounts_ = 20;
};

} // namespace muster
