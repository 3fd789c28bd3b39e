// One `muster run` at a time.
#pragma once

#include <memory>
#include <string>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster {

/// A file lock (flock) that the kernel gives back when its holder is gone, however it went.
class Lock {
  public:
    ~Lock();
    Lock(Lock&&) noexcept;
    Lock& operator=(Lock&&) noexcept;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    /// Takes the lock at once or says `conflict` (the holder's process id is in the message).
    [[nodiscard]] static Result<Lock> take(const std::string& path);

    /// Returns when nobody holds it, or `stuck` at the deadline. Makes nothing: what is not there
    /// is held by nobody.
    [[nodiscard]] static Result<void> wait_until_free(const std::string& path, Clock& clock,
                                                      Deadline deadline);

  private:
    explicit Lock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

} // namespace muster
