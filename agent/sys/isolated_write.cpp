#include "agent/sys/isolated_write.h"

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

std::string serve_write(std::string_view argument) {
    return wire::serve(argument, &write_file);
}

} // namespace

Result<void> write_isolated(Isolate& isolate, const std::string& path, std::string_view content,
                            Deadline deadline) {
    const auto done =
        wire::call(isolate, &serve_write, {{"path", path}, {"content", content}}, deadline);
    if (!done) return fail(done.error(), path);
    return {};
}

} // namespace muster
