// From the text of one file to JSON, with mistakes that say where and what in plain words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/kinds.h"

namespace muster {

struct SyntaxMistake {
    std::string where; ///< "line 3, column 7", or the key that is there twice
    std::string problem;
};

struct ParsedText {
    std::optional<Json> document; ///< an object; none where the text could not be read
    std::vector<SyntaxMistake> mistakes;
};

/// JSON with comments, UTF-8. A key that is there twice in one object is a mistake (the parser
/// itself would quietly keep the last), and so is nesting beyond any sense.
[[nodiscard]] ParsedText parse_config_text(std::string_view text);

} // namespace muster
