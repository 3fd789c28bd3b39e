// A folder that stands for "/", and what a test has put into it.
#pragma once

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "agent/sys/fd.h"
#include "agent/sys/files.h"
#include "tests/catch.h"

namespace muster {

/// One that is kept goes from owner to owner, with all that is in it: making and removing its files
/// would be most of what a test of thousands of small machines does.
class FakeTree {
  public:
    static std::unique_ptr<FakeTree> take(bool kept) {
        if (!kept || idle().empty()) return std::make_unique<FakeTree>(kept);
        auto tree = std::move(idle().back());
        idle().pop_back();
        return tree;
    }
    static void give_back(std::unique_ptr<FakeTree> tree) {
        if (!tree->kept_) return;
        for (auto& [path, entry] : tree->entries_)
            entry.wanted = false;
        tree->settled_ = false;
        idle().push_back(std::move(tree));
    }

    explicit FakeTree(bool kept) : kept_(kept) {
        // In memory where that can be.
        std::string name = std::filesystem::exists("/dev/shm") ? "/dev/shm/muster-sysfs.XXXXXX"
                                                               : "/tmp/muster-sysfs.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = name;
        files_ = Files(root_);
    }
    ~FakeTree() { std::filesystem::remove_all(root_); }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;

    /// Without what is left of an earlier owner's.
    [[nodiscard]] const Files& files() {
        for (auto entry = entries_.rbegin(); !settled_ && entry != entries_.rend(); ++entry) {
            if (!entry->second.wanted) std::filesystem::remove(files_.real(entry->first));
        }
        if (!settled_)
            std::erase_if(entries_, [](const auto& entry) { return !entry.second.wanted; });
        settled_ = true;
        return files_;
    }

    void put(std::string_view path, std::string_view content) {
        auto& entry = want(path, Kind::file);
        if (kept_ && entry.content == content) return;
        const auto file = files_.real(path);
        // Not O_TRUNC: on ext4 the close would wait for the disk (auto_da_alloc).
        const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        if (::write(fd.get(), content.data(), content.size()) != std::ssize(content) ||
            ::ftruncate(fd.get(), std::ssize(content)) != 0) {
            FAIL("FakeTree: cannot write " << file);
        }
        entry.content = content;
    }
    void folder(std::string_view path) { want(path, Kind::folder); }
    void link(std::string_view path, const std::string& target) {
        drop(path);
        want(path, Kind::link);
        std::filesystem::create_symlink(target, files_.real(path));
    }
    /// With all that is in it.
    void drop(std::string_view path) {
        const std::string top(without_end(path));
        std::filesystem::remove_all(files_.real(top));
        entries_.erase(top);
        const auto first = entries_.lower_bound(top + "/");
        auto last = first;
        while (last != entries_.end() && last->first.starts_with(top + "/"))
            ++last;
        entries_.erase(first, last);
    }

  private:
    enum class Kind { folder, file, link };
    struct Entry {
        Kind kind;
        bool wanted = true; ///< by this owner
        std::optional<std::string> content{};
    };

    /// Idle ones.
    static std::vector<std::unique_ptr<FakeTree>>& idle() {
        static std::vector<std::unique_ptr<FakeTree>> trees;
        return trees;
    }
    static std::string_view without_end(std::string_view path) {
        return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
    }

    /// Makes the folders that it is in, and itself where it is one; removes what is in their place.
    Entry& want(std::string_view path, Kind kind) {
        path = without_end(path);
        auto found = entries_.find(path);
        if (found != entries_.end() && found->second.kind != kind) {
            drop(path);
            found = entries_.end();
        }
        const bool there = kept_ && found != entries_.end(); // else it may be gone by now
        if (there && found->second.wanted) return found->second;
        if (const auto above = path.rfind('/'); above != 0)
            want(path.substr(0, above), Kind::folder);
        if (kind == Kind::folder && !there) std::filesystem::create_directory(files_.real(path));
        auto& entry = entries_.try_emplace(std::string(path), Entry{kind}).first->second;
        entry.wanted = true;
        return entry;
    }

    bool kept_;
    bool settled_ = true;
    std::filesystem::path root_;
    Files files_;
    std::map<std::string, Entry, std::less<>> entries_;
};

} // namespace muster
