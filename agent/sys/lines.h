// Files too large to be held, line by line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "agent/sys/result.h"

namespace muster {

/// A line without its end. `whole` is false where it was longer than the limit: `text` is then its
/// beginning.
struct Line {
    std::size_t number = 0; ///< from 1
    std::string_view text;
    bool whole = true;
};

/// Each line of the file `path`, or of standard input for "-"; of none more than `most` bytes are
/// held.
[[nodiscard]] Result<void> each_line(const std::string& path, std::size_t most,
                                     const std::function<void(const Line&)>& take);

} // namespace muster
