// Calls under way, one of a kind at a device. Private to sys.
//
// Whoever asked may have given a call up; while it hangs it is all that anybody gets, or each look
// at a stuck volume would leave another helper there.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "agent/sys/isolate.h"
#include "agent/sys/wire.h"

namespace muster {

/// May be used from several threads. `what`: the kind and the device, in words: "reading /dev/sdb".
class Outstanding {
  public:
    explicit Outstanding(Isolate& isolate) : isolate_(isolate) {}

    /// A new call, or the one that is still under way.
    [[nodiscard]] Result<std::shared_ptr<IsolatedCall>>
    start(const std::string& what, IsolatedFunction function, const wire::Json& argument);

    /// A new call's result. `stuck` where it, or one before it, has none by the deadline.
    [[nodiscard]] Result<wire::Json> ask(const std::string& what, IsolatedFunction function,
                                         const wire::Json& argument, Deadline deadline);

  private:
    using Begun = std::pair<std::shared_ptr<IsolatedCall>, bool>; ///< and whether it is a new one
    [[nodiscard]] Result<Begun> begin(const std::string& what, IsolatedFunction function,
                                      const wire::Json& argument);

    Isolate& isolate_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<IsolatedCall>> calls_;
};

} // namespace muster
