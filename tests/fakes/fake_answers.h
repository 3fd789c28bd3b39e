// Answers that a test lays out beforehand, for the fakes.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "agent/sys/result.h"

namespace muster {

/// Given one after the other; the last one stays.
template <class T>
class FakeAnswers {
  public:
    void add(Result<T> answer) { answers_.push_back(std::move(answer)); }
    void set(Result<T> answer) {
        answers_.assign(1, std::move(answer));
        next_ = 0;
    }
    [[nodiscard]] Result<T> next() {
        const auto& answer = answers_.at(next_);
        next_ += next_ + 1 < answers_.size() ? 1 : 0;
        return answer;
    }

  private:
    std::vector<Result<T>> answers_;
    std::size_t next_ = 0;
};

} // namespace muster
