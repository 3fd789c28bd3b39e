// The XML of AWS's answers, as far as they use it. Pure.
//
// A reader of our own, since all that is wanted of it is small: no document type, no entities of
// the document's own (what they can do to a reader is well known), no namespaces; everything
// bounded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/result.h"

namespace muster::aws {

struct Element {
    std::string name;
    std::string text; ///< of its own, not its children's; white space at its ends gone
    std::vector<Element> children;

    /// The first child of that name; null where there is none.
    [[nodiscard]] const Element* child(std::string_view of_name) const;
    /// That child's text; "" where there is none.
    [[nodiscard]] std::string text_of(std::string_view of_name) const;
};

/// The document's root. Attributes are passed over. `malformed` with what was found: also where it
/// is deeper than 20 elements or has more than 10,000 of them.
[[nodiscard]] Result<Element> parse_xml(std::string_view text);

} // namespace muster::aws
