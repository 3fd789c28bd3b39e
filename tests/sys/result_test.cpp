#include <cerrno>
#include <set>

#include "agent/sys/result.h"
#include "tests/catch.h"

using namespace muster;

TEST_CASE("every error code has a name of its own") {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        names.insert(to_string(static_cast<Errc>(code)));
    }
    CHECK(names.size() == static_cast<std::size_t>(Errc::internal) + 1);
    CHECK(to_string(Errc::timed_out) == "timed_out");
}

TEST_CASE("retryable is what may pass by itself") {
    std::set<std::string_view> retryable;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        if (is_retryable(static_cast<Errc>(code))) {
            retryable.insert(to_string(static_cast<Errc>(code)));
        }
    }
    CHECK(retryable == std::set<std::string_view>{"transient", "refused", "unreachable",
                                                  "timed_out", "throttled", "empty",
                                                  "unauthorized"});
}

TEST_CASE("errno in the field's words") {
    CHECK(errc_of(ENOENT) == Errc::absent);
    CHECK(errc_of(EACCES) == Errc::denied);
    CHECK(errc_of(EIO) == Errc::io);
    CHECK(errc_of(EBUSY) == Errc::conflict);
    CHECK(errc_of(ECONNREFUSED) == Errc::refused);
    CHECK(errc_of(EAGAIN) == Errc::transient);
    // An errno that nobody thought of must never condemn a disk.
    CHECK(errc_of(ENOTSUP) == Errc::internal);
    CHECK(errc_of(99999) == Errc::internal);
}

TEST_CASE("an error tells its story from the outside in") {
    const Result<int> inner = fail_errno(ENOENT, "can't open /x");
    const Result<std::string> outer = fail(inner.error(), "reading the root");
    CHECK(outer.error().code == Errc::absent);
    CHECK(outer.error().message == "reading the root: can't open /x: No such file or directory");
}
