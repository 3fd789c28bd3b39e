#include "agent/sinks/sink.h"
#include "agent/sys/isolated_write.h"

namespace muster {
namespace {

class FileSink : public Sink {
  public:
    FileSink(std::string path, const Clock& clock, std::unique_ptr<Isolate> isolate)
        : path_(std::move(path)), clock_(clock), isolate_(std::move(isolate)) {}

    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        const auto written =
            write_isolated(*isolate_, path_, message.body + "\n", Deadline::in(clock_, limit));
        if (written) return {};
        return std::unexpected(SinkError{.error = written.error()});
    }

  private:
    std::string path_;
    const Clock& clock_;
    std::unique_ptr<Isolate> isolate_;
};

} // namespace

std::unique_ptr<Sink> make_file_sink(std::string path, const Clock& clock,
                                     std::unique_ptr<Isolate> isolate) {
    return std::make_unique<FileSink>(std::move(path), clock, std::move(isolate));
}

} // namespace muster
