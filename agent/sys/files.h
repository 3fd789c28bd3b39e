// Files below a root folder: "/" on a machine, a folder of the test's own in a test.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/result.h"

namespace muster {

class Files {
  public:
    explicit Files(std::filesystem::path root = "/") : root_(std::move(root)) {}

    /// Where `path` (absolute) really is.
    [[nodiscard]] std::filesystem::path real(std::string_view path) const;

    /// The whole content. `too_large` beyond `limit` bytes, `absent` where there is no such file.
    [[nodiscard]] Result<std::string> read(std::string_view path,
                                           std::size_t limit = 1 << 20) const;

    /// The content of a sysfs or procfs attribute, without the white space around it.
    [[nodiscard]] Result<std::string> read_value(std::string_view path) const;

    /// Names in a folder, sorted. `absent` where there is no such folder.
    [[nodiscard]] Result<std::vector<std::string>> list(std::string_view path) const;

    /// The last component of the symbolic link's target, for example "nvme0" of a sysfs link.
    [[nodiscard]] Result<std::string> link_name(std::string_view path) const;

    [[nodiscard]] bool exists(std::string_view path) const;

    /// Writes a file whole or not at all: a temporary one beside it (mode 0600), fsync, rename,
    /// fsync of the folder. Missing folders are made (mode 0755).
    [[nodiscard]] Result<void> write(std::string_view path, std::string_view content) const;

    /// Removes the temporary files that writers which were killed have left in a directory. Those
    /// of a living writer stay.
    void remove_abandoned(std::string_view directory) const;

    [[nodiscard]] Result<void> remove(std::string_view path) const;

  private:
    std::filesystem::path root_;
};

} // namespace muster
