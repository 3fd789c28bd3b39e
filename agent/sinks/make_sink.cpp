#include "agent/sinks/identity.h"
#include "agent/sinks/sink.h"

namespace muster {
namespace {

Result<std::string> read_token(const std::string& path, const Files& files) {
    if (path.empty()) return "";
    auto text = files.read(path, 16 << 10);
    if (!text) return fail(text.error(), "token_file");
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
        text->pop_back();
    // Whatever else a header must not hold would let the file's owner write other headers.
    if (text->empty() || text->find_first_of("\r\n") != std::string::npos) {
        return fail(Errc::malformed, "token_file: " + path + ": expected one line with the token");
    }
    return text;
}

} // namespace

Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config, const Files& files, Clock& clock,
                                        std::function<bool()> cancelled) {
    if (config.type == SinkConfig::Type::file) {
        auto isolate = make_isolate(clock);
        if (!isolate) return fail(isolate.error(), "report.to." + config.name);
        return make_file_sink(files.real(config.path).string(), clock, std::move(*isolate));
    }
    auto token = read_token(config.token_file, files);
    if (!token) return fail(token.error(), "report.to." + config.name);
    return make_webhook(
        config.url, std::move(*token),
        make_http_client({.proxy = config.proxy,
                          .ca_file = config.ca_file,
                          .client_certificate = config.client_certificate,
                          .client_key = config.client_key,
                          .cancelled = std::move(cancelled)}),
        clock, config.identity ? ask_for_identity(config.metadata, clock) : IdentitySource());
}

} // namespace muster
