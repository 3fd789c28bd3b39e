#include "agent/sys/mount_point.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <deque>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <vector>

#include "agent/sys/files.h"

namespace muster {
namespace {

/// Only root, or the user that muster itself is (in a test).
bool is_roots(uid_t user) {
    return user == 0 || user == ::geteuid();
}

/// No other user can put another file in place of root's file in this folder.
bool keeps_files(const struct stat& folder) {
    const bool shared = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return is_roots(folder.st_uid) && (!shared || (folder.st_mode & S_ISVTX) != 0);
}

class FolderWalk {
  public:
    explicit FolderWalk(IfMissing missing) : missing_(missing) {}

    Result<FoundFolder> go(const std::string& target) {
        if (auto begun = begin(); !begun) return fail(begun.error());
        push(target);
        while (!left_.empty()) {
            const auto name = std::move(left_.front());
            left_.pop_front();
            if (auto stepped = step(name); !stepped) return fail(stepped.error());
        }
        auto path = path_of(way_.back());
        if (!path) return fail(path.error());
        for (const auto& name : absent_)
            *path += (path->ends_with('/') ? "" : "/") + name;
        return FoundFolder{absent_.empty() ? std::move(way_.back()) : Fd(), std::move(*path)};
    }

  private:
    Result<void> begin() {
        Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!root) return fail_errno(errno, "can't open /");
        way_.clear();
        way_.push_back(std::move(root));
        return {};
    }

    /// These come before all that is left.
    void push(const std::string& path) {
        std::vector<std::string> names;
        for (std::size_t at = 0; at < path.size();) {
            const auto end = std::min(path.find('/', at), path.size());
            names.push_back(path.substr(at, end - at));
            at = end + 1;
        }
        left_.insert(left_.begin(), names.begin(), names.end());
    }

    Result<void> step(const std::string& name) {
        if (name.empty() || name == ".") return {};
        if (name == "..") {
            up();
            return {};
        }
        if (!absent_.empty()) {
            absent_.push_back(name);
            return {};
        }
        auto next = open(name);
        if (!next && errno == ENOENT && missing_ == IfMissing::leave) {
            absent_.push_back(name);
            return {};
        }
        if (!next && errno == ENOENT) {
            if (::mkdirat(way_.back().get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
                return fail_errno(errno, "can't make " + shown(name));
            }
            next = open(name);
        }
        if (!next) return fail_errno(errno, "can't open " + shown(name));
        struct stat status{};
        if (::fstat(next.get(), &status) != 0) return fail_errno(errno, shown(name));
        if (S_ISLNK(status.st_mode)) return follow(name, next, status);
        if (!S_ISDIR(status.st_mode)) return fail(Errc::conflict, shown(name) + " is no folder");
        way_.push_back(std::move(next));
        return {};
    }

    void up() {
        if (!absent_.empty()) {
            absent_.pop_back();
        } else if (way_.size() > 1) {
            way_.pop_back();
        }
    }

    /// O_DIRECTORY triggers an automount, which is wanted on the way alone.
    [[nodiscard]] Fd open(const std::string& name) const {
        constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
        if (!left_.empty()) {
            Fd folder(::openat(way_.back().get(), name.c_str(), flags | O_DIRECTORY));
            if (folder || errno != ENOTDIR) return folder;
        }
        return Fd(::openat(way_.back().get(), name.c_str(), flags));
    }

    Result<void> follow(const std::string& name, const Fd& link, const struct stat& status) {
        struct stat folder{};
        if (::fstat(way_.back().get(), &folder) != 0) return fail_errno(errno, shown(name));
        if (!is_roots(status.st_uid) || !keeps_files(folder)) {
            return fail(
                Errc::conflict,
                fmt::format("{} is a link that others than root can change (it is of user {}, in a "
                            "folder of user {} with mode {:o}): configure a path without it",
                            shown(name), status.st_uid, folder.st_uid, folder.st_mode & 07777));
        }
        if (++links_ > most_links) return fail(Errc::conflict, shown(name) + ": too many links");
        std::array<char, PATH_MAX> to{};
        const auto length = ::readlinkat(link.get(), "", to.data(), to.size());
        if (length < 0) return fail_errno(errno, "can't read the link " + shown(name));
        const std::string path(to.data(), static_cast<std::size_t>(length));
        push(path);
        return path.starts_with('/') ? begin() : Result<void>();
    }

    [[nodiscard]] std::string shown(const std::string& name) const {
        const auto above = path_of(way_.back()).value_or("?");
        return above + (above.ends_with('/') ? "" : "/") + name;
    }

    static constexpr int most_links = 40; // the kernel's own bound

    IfMissing missing_;
    std::vector<Fd> way_; ///< from / down
    std::vector<std::string> absent_;
    std::deque<std::string> left_;
    int links_ = 0;
};

Result<std::uint64_t> mount_id(const Fd& folder) {
    const auto text = Files().read(fmt::format("/proc/self/fdinfo/{}", folder.get()));
    if (!text) return fail(text.error());
    constexpr std::string_view key = "mnt_id:\t";
    const auto at = text->find(key);
    std::uint64_t id = 0;
    if (at == std::string::npos ||
        std::from_chars(text->data() + at + key.size(), text->data() + text->size(), id).ec !=
            std::errc()) {
        return fail(Errc::malformed, "the kernel does not tell in which mount a folder is");
    }
    return id;
}

} // namespace

Result<FoundFolder> find_folder(const std::string& target, IfMissing missing) {
    if (!target.starts_with('/')) return fail(Errc::malformed, target + " is no absolute path");
    auto found = FolderWalk(missing).go(target);
    if (found && found->path == "/") {
        return fail(Errc::malformed, "can't mount on \"" + target + "\"");
    }
    return found;
}

Result<std::string> path_of(const Fd& folder) {
    std::array<char, PATH_MAX> path{};
    const auto link = fmt::format("/proc/self/fd/{}", folder.get());
    const auto length = ::readlink(link.c_str(), path.data(), path.size());
    if (length <= 0) return fail_errno(errno, "can't read " + link);
    return std::string(path.data(), static_cast<std::size_t>(length));
}

Result<std::optional<Mount>> mounted_at(const Fd& folder) {
    const auto id = mount_id(folder);
    if (!id) return fail(id.error());
    const auto path = path_of(folder);
    if (!path) return fail(path.error());
    const auto text = Files().read("/proc/self/mountinfo", 4 << 20);
    if (!text) return fail(text.error());
    auto mounts = parse_mountinfo(*text);
    if (!mounts) return fail(mounts.error());
    const auto found = std::ranges::find(*mounts, *id, &Mount::id);
    if (found == mounts->end()) {
        return fail(Errc::conflict, *path + " was unmounted while it was looked at");
    }
    if (found->target != *path) return std::nullopt;
    return std::move(*found);
}

} // namespace muster
