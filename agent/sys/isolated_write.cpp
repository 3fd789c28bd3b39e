#include "agent/sys/isolated_write.h"

#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sys/files.h"
#include "agent/sys/wire.h"

namespace muster {
namespace {

Result<wire::Json> write_file(const wire::Json& argument) {
    const auto written = Files().write(argument.at("path").get<std::string>(),
                                       argument.at("content").get<std::string>());
    if (!written) return fail(written.error());
    return wire::Json();
}

/// Beside it, opened to all, and only then in its place: who reads it never finds it closed.
Result<wire::Json> publish_file(const wire::Json& argument) {
    const std::filesystem::path path = argument.at("path").get<std::string>();
    const auto beside = path.parent_path() / ("." + path.filename().string() + ".muster");
    const auto written = Files().write(beside.string(), argument.at("content").get<std::string>());
    if (!written) return fail(written.error());
    if (chmod(beside.c_str(), 0644) != 0 || rename(beside.c_str(), path.c_str()) != 0) {
        const int error = errno;
        unlink(beside.c_str());
        return fail_errno(error, "can't publish");
    }
    return wire::Json();
}

std::string serve_write(std::string_view argument) {
    return wire::serve(argument, &write_file);
}

std::string serve_publish(std::string_view argument) {
    return wire::serve(argument, &publish_file);
}

Result<void> call(Isolate& isolate, IsolatedFunction function, const std::string& path,
                  std::string_view content, Deadline deadline) {
    const auto done =
        wire::call(isolate, function, {{"path", path}, {"content", content}}, deadline);
    if (!done) return fail(done.error(), path);
    return {};
}

} // namespace

Result<void> write_isolated(Isolate& isolate, const std::string& path, std::string_view content,
                            Deadline deadline) {
    return call(isolate, &serve_write, path, content, deadline);
}

Result<void> publish_isolated(Isolate& isolate, const std::string& path, std::string_view content,
                              Deadline deadline) {
    return call(isolate, &serve_publish, path, content, deadline);
}

} // namespace muster
