#include "agent/sys/retry_after.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

// Sun, 06 Nov 1994 08:49:00 GMT
const WallTime now{std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + 8h + 49min};

struct RetryAfterRow {
    const char* value;
    Duration wait;
};

} // namespace

TEST_CASE("retry_after: seconds, dates, and what is neither") {
    const RetryAfterRow rows[] = {
        {"0", 0s},
        {"1", 1s},
        {"120", 120s},
        {"599", 599s},
        {"600", 600s},
        {"601", 600s},
        {"4294967295", 600s},
        {"4294967296", 600s},           // beyond 32 bits it is still "very long", not "at once"
        {"99999999999999999999", 600s}, // and beyond 64
        {"Sun, 06 Nov 1994 08:49:37 GMT", 37s},
        {"Sun, 06 Nov 1994 08:49:00 GMT", 0s},
        {"Sun, 06 Nov 1994 08:48:00 GMT", 0s}, // past
        {"Sun, 06 Nov 1994 08:59:00 GMT", 600s},
        {"Sun, 06 Nov 2094 08:49:37 GMT", 600s},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 600s}, // "never"; a year that nanoseconds can't hold
        {"Fri, 11 Apr 2262 23:47:17 GMT", 600s}, // where they end
        {"Sat, 01 Jan 0000 00:00:00 GMT", 0s},
        {"Sun, 06 Nov 1994 08:49:37 GMT, or so", 0s},
        {"", 0s},
        {"soon", 0s},
        {"-5", 0s},
        {"1.5", 0s},
        {"5 s", 0s},
        {"99999999999999999999 s", 0s},
        {"1994-11-06T08:49:37Z", 0s},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0s}, // RFC 850, obsolete
    };
    for (const auto& [value, wait] : rows) {
        INFO(value);
        CHECK(parse_retry_after(value, now) == wait);
    }
}
