// What LVM printed (tests/fixtures/lvm).
#pragma once

#include <regex>

#include "agent/sys/files.h"
#include "tests/catch.h"

namespace muster::lvm {

/// Most were taken before a disk's extents were asked for.
inline std::string with_extents(const std::string& text) {
    if (text.find("pv_pe_count") != std::string::npos) return text;
    return std::regex_replace(text, std::regex(R"re("pv_in_use":"[a-z]*")re"),
                              R"($&, "pv_pe_count":"30", "pv_pe_alloc_count":"7")");
}

inline std::string fixture(const std::string& name) {
    auto text = Files().read(std::string(MUSTER_SOURCE_DIR "/tests/fixtures/lvm/") + name);
    REQUIRE(text);
    return with_extents(*text);
}

} // namespace muster::lvm
