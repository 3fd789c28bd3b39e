// A folder that goes with the test.
#pragma once

#include <filesystem>
#include <string>

#include "tests/catch.h"

namespace muster {

struct TemporaryFolder {
    explicit TemporaryFolder(const std::string& where = "/tmp") {
        std::string name = where + "/muster-test.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path path;
};

} // namespace muster
