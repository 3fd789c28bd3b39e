#include "probes/instance_values.h"
#include "tests/catch.h"

using namespace muster;
using namespace muster::probes;

namespace {

std::string times(std::size_t count, std::string_view text) {
    std::string all;
    while (count-- > 0)
        all += text;
    return all;
}

} // namespace

TEST_CASE("user data: its kind is shown, never its content") {
    const struct {
        std::string_view data, kind;
    } rows[] = {
        {"#cloud-config\nruncmd: []", "#cloud-config"},
        {"#cloud-config \r\n", "#cloud-config"},
        {"#cloud-config-archive", "#cloud-config-archive"},
        {"#cloud-config # of mine", "#cloud-config"},
        {" #cloud-config", "text"},
        {"#include\nhttps://host/x", "#include"},
        {"## template: jinja\n#cloud-config", "## template: jinja"},
        {"#!/bin/bash -secret\n", "#!/bin/bash"},
        {"#! /bin/sh\t-secret\n", "#!/bin/sh"},
        // What only looks like a kind is somebody's text.
        {"#password=hunter2\n", "text"},
        {"#cloud-config-hunter2\n", "text"},
        {"#!hunter2\n", "text"},
        {"# hunter2\n", "text"},
        {"#", "text"},
        {"#!/bin/caf\xe9\n", "binary"},
        {"Content-Type: multipart/mixed; boundary=x", "MIME"},
        {"MIME-Version: 1.0\n", "MIME"},
        {"\x1f\x8b\x08", "gzip"},
        {"", "text"},
    };
    for (const auto& [data, kind] : rows) {
        CAPTURE(data);
        CHECK(kind_of_user_data(data) == kind);
    }
    CHECK(kind_of_user_data("#!/" + std::string(37, 'p')) == "#!/" + std::string(37, 'p'));
    CHECK(kind_of_user_data("#!/" + std::string(38, 'p')) == "text");
}

TEST_CASE("tags: a value has at most 256 characters, whatever their bytes") {
    const std::string face = "\xf0\x9f\x98\x80";
    CHECK(parse_tag_value(times(256, "v")));
    CHECK_FALSE(parse_tag_value(times(257, "v")));
    CHECK(parse_tag_value(times(256, face)));
    CHECK_FALSE(parse_tag_value(times(257, face)));
}

TEST_CASE("tags: a value without control characters, which a terminal would obey") {
    CHECK(parse_tag_value("Gr\xc3\xb6\xc3\x9f"
                          "e \xc2\xa9\n") == "Gr\xc3\xb6\xc3\x9f"
                                             "e \xc2\xa9");
    CHECK(parse_tag_value("") == "");
    for (const char* value : {"\x1b[31mred", "a\nb", "a\x7f",
                              "\xc2\x9b"
                              "31mred",
                              "a\xc2\x85"
                              "b"}) {
        CAPTURE(value);
        CHECK_FALSE(parse_tag_value(value));
    }
}
