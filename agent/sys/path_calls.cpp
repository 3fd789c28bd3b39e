#include "agent/sys/path_calls.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/sys/files.h"
#include "agent/sys/mount_point.h"
#include "agent/sys/mounter.h"

namespace muster {

using wire::Json;

namespace {

constexpr std::size_t most_entries = 1024;
constexpr std::size_t most_entries_told = 5;

} // namespace

Result<Json> do_space(const Json& argument) {
    struct statvfs status{};
    if (::statvfs(argument.at("path").get<std::string>().c_str(), &status) != 0) {
        return fail_errno(errno, "statvfs");
    }
    const std::uint64_t unit = status.f_frsize;
    return Json{{"bytes", unit * status.f_blocks},
                {"bytes_free", unit * status.f_bavail},
                {"inodes", std::uint64_t{status.f_files}},
                {"inodes_free", std::uint64_t{status.f_favail}}};
}

Result<Json> do_folder(const Json& argument) {
    const auto path = argument.at("path").get<std::string>();
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return fail_errno(errno, "stat");
    }
    if (!S_ISDIR(status.st_mode)) {
        return fail(Errc::malformed, "it is no folder");
    }
    Json entries = Json::array({Json{".", status.st_mode, status.st_uid}});
    const auto names = Files().list(path);
    if (!names) {
        return fail(names.error());
    }
    if (names->size() > most_entries) {
        return fail(Errc::too_large, std::to_string(names->size()) + " entries");
    }
    for (const auto& name : *names) {
        if (::lstat((path + "/" + name).c_str(), &status) == 0) {
            entries.push_back(Json{name, status.st_mode, status.st_uid});
        } else if (errno != ENOENT) { // gone since it was listed
            return fail_errno(errno, name);
        }
    }
    return entries;
}

Result<Json> do_mount(const Json& argument) {
    const MountRequest request{
        .source = argument.at("source").get<std::string>(),
        .target = argument.at("target").get<std::string>(),
        .filesystem = argument.at("filesystem").get<std::string>(),
        .options = argument.at("options").get<std::vector<std::string>>(),
        .mode = argument.at("mode").get<std::uint32_t>(),
        .owner = argument.at("owner").get<std::string>(),
    };
    if (auto done = mount_and_own(request); !done) {
        return fail(std::move(done.error()));
    }
    return Json(true);
}

Result<Json> do_mount_point(const Json& argument) {
    const auto found = find_folder(argument.at("target").get<std::string>(), IfMissing::leave);
    if (!found) {
        return fail(found.error());
    }
    Json answer{{"path", found->path}, {"entries", Json::array()}};
    if (!found->folder) {
        return answer;
    }
    const auto read = mounted_at(found->folder);
    if (!read) {
        return fail(read.error());
    }
    const std::optional<Mount>& mounted = *read;
    if (mounted) { // its files are not what a mount of ours hides
        const auto& at = *mounted;
        answer["mounted"] = Json{at.id,         at.major,  at.minor,     at.root,     at.target,
                                 at.filesystem, at.source, at.read_only, at.automount};
        return answer;
    }
    auto names = Files().list("/proc/self/fd/" + std::to_string(found->folder.get()));
    if (!names) {
        return fail(names.error());
    }
    names->resize(std::min(names->size(), most_entries_told));
    answer["entries"] = *names;
    return answer;
}

FolderEntry to_entry(const Json& answer) {
    const auto mode = answer.at(1).get<mode_t>();
    return {.name = answer.at(0).get<std::string>(),
            .type = S_ISREG(mode)   ? FolderEntry::Type::file
                    : S_ISDIR(mode) ? FolderEntry::Type::folder
                    : S_ISLNK(mode) ? FolderEntry::Type::link
                                    : FolderEntry::Type::other,
            .mode = mode & 07777U,
            .owner = answer.at(2).get<uid_t>()};
}

MountPoint to_mount_point(const Json& answer) {
    MountPoint point{.path = answer.at("path").get<std::string>(),
                     .mounted = {},
                     .entries = answer.at("entries").get<std::vector<std::string>>()};
    if (answer.contains("mounted")) {
        const auto& at = answer.at("mounted");
        point.mounted = Mount{.id = at.at(0).get<std::uint64_t>(),
                              .major = at.at(1).get<std::uint32_t>(),
                              .minor = at.at(2).get<std::uint32_t>(),
                              .root = at.at(3).get<std::string>(),
                              .target = at.at(4).get<std::string>(),
                              .filesystem = at.at(5).get<std::string>(),
                              .source = at.at(6).get<std::string>(),
                              .read_only = at.at(7).get<bool>(),
                              .automount = at.at(8).get<bool>()};
    }
    return point;
}

} // namespace muster
