#include "agent/sinks/sink.h"

namespace muster {
namespace {

class FileSink : public Sink {
  public:
    FileSink(std::string path, const Files& files) : path_(std::move(path)), files_(files) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration /*limit*/) override {
        const auto written = files_.write(path_, message.body + "\n");
        if (written) return {};
        return std::unexpected(SinkError{.error = written.error()});
    }

  private:
    std::string path_;
    const Files& files_;
};

} // namespace

std::unique_ptr<Sink> make_file_sink(std::string path, const Files& files) {
    return std::make_unique<FileSink>(std::move(path), files);
}

} // namespace muster
