// The real outside world, put together.
#pragma once

#include <memory>

#include "agent/config/config.h"
#include "agent/sys/isolate.h"
#include "agent/sys/worker.h"
#include "agent/world.h"

namespace muster {

/// Holds the real ones. Must be made before its process has a second thread.
class RealWorld {
  public:
    [[nodiscard]] static Result<std::unique_ptr<RealWorld>> make();

    [[nodiscard]] World world() {
        return {files_, *clock_, *kernel_, *commands_, *metadata_http_, disk_lock_};
    }
    [[nodiscard]] Clock& clock() { return *clock_; }
    [[nodiscard]] Isolate& isolate() { return *isolate_; }

  private:
    RealWorld(std::unique_ptr<Clock> clock, std::unique_ptr<Isolate> isolate);

    Files files_;
    std::unique_ptr<Clock> clock_;
    std::unique_ptr<Isolate> isolate_;
    std::string disk_lock_;
    std::unique_ptr<Kernel> kernel_;
    std::unique_ptr<CommandRunner> commands_;
    std::unique_ptr<HttpClient> metadata_http_;
};

/// The boot job as a worker's body: tells each event as a message.
void boot_in_real_world(const Config& config, Instant start, Deadline deadline,
                        const Worker::Send& send);

} // namespace muster
