#include "agent/background.h"

namespace muster {

void Background::start(std::string name, std::function<void()> work) {
    ended_ = false;
    job_ = clock_.start(std::move(name), [this, work = std::move(work)] {
        work();
        ended_ = true;
    });
}

bool Background::take_end() {
    if (!job_ || !ended_) return false;
    clock_.wait(*job_); // it has nothing left to do but to end
    job_.reset();
    return true;
}

} // namespace muster
