#include "agent/sys/http_header.h"
#include "tests/catch.h"

using namespace muster;

TEST_CASE("http header: a name in lower case and its value") {
    const struct {
        const char* line;
        HttpHeader header;
    } rows[] = {
        {"Retry-After: 5\r\n", {"retry-after", "5"}},
        {"retry-after:5", {"retry-after", "5"}},
        {"RETRY-AFTER \t:\t 5 \r\n", {"retry-after", "5"}},
        {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}},
        {"X-Empty:\r\n", {"x-empty", ""}},
        {"Location: http://host:80/\r\n", {"location", "http://host:80/"}},
    };
    for (const auto& [line, header] : rows) {
        INFO(line);
        CHECK(parse_header_line(line) == header);
    }
}

TEST_CASE("http header: a line that is none") {
    for (const char* line : {"", "\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 503 try again: later\r\n",
                             "no colon\r\n", ": no name\r\n", " :\r\n", "two words: no name\r\n"}) {
        INFO(line);
        CHECK_FALSE(parse_header_line(line));
    }
}
