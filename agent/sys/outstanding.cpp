#include "agent/sys/outstanding.h"

namespace muster {

Result<Outstanding::Begun> Outstanding::begin(const std::string& what, IsolatedFunction function,
                                              const wire::Json& argument) {
    const std::lock_guard guard(mutex_);
    // Each holds two descriptors, and a machine may have many disks. Who waits has it as well.
    std::erase_if(calls_, [](const auto& each) { return each.second->ready(Deadline{}); });
    if (const auto found = calls_.find(what); found != calls_.end()) {
        return Begun(found->second, false);
    }
    auto call = wire::start(isolate_, function, argument);
    if (!call) {
        return fail(call.error(), what);
    }
    return Begun(calls_[what] = std::move(*call), true);
}

Result<std::shared_ptr<IsolatedCall>>
Outstanding::start(const std::string& what, IsolatedFunction function, const wire::Json& argument) {
    auto begun = begin(what, function, argument);
    if (!begun) {
        return fail(begun.error());
    }
    return begun->first;
}

Result<wire::Json> Outstanding::ask(const std::string& what, IsolatedFunction function,
                                    const wire::Json& argument, Deadline deadline) {
    while (true) {
        const auto begun = begin(what, function, argument);
        if (!begun) {
            return fail(begun.error());
        }
        const auto& [call, is_new] = *begun;
        if (is_new) {
            auto answer = wire::finish(*call, deadline);
            return answer ? std::move(answer) : fail(answer.error(), what);
        }
        if (!call->ready(deadline)) {
            return fail(Errc::stuck, what + ": an earlier try still hangs");
        }
    }
}

} // namespace muster
